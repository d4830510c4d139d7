"""What the service itself says of a spike that is over."""

from __future__ import annotations

from collections.abc import Callable

from shed import kept, refused


def test_what_was_too_much_was_refused_at_the_limit(
    record_property: Callable[[str, str], None],
) -> None:
    """By its limit on requests in flight, not by a queue that ran into its timeouts."""
    before, now = kept(), refused()

    record_property("expected", "requests refused at the limit in flight since the baseline")
    record_property("observed", f"{now - before} refused: {before} before, {now} now")
    assert now > before
