"""Before the spike: far from its limit, and how often it has refused so far."""

from __future__ import annotations

from collections.abc import Callable

from shed import LIMIT, keep, metric, refused


def test_it_is_far_from_its_limit(record_property: Callable[[str, str], None]) -> None:
    """Else what is refused later would say nothing of the spike."""
    in_flight, so_far = metric("ledger_in_flight"), refused()
    keep(so_far)

    record_property("expected", f"fewer than {LIMIT // 2} requests in flight")
    record_property("observed", f"{in_flight} in flight, {so_far} refused so far")
    assert in_flight < LIMIT // 2
