"""Before the shared store is taken away: it is asked, and the log ends somewhere."""

from __future__ import annotations

from collections.abc import Callable

from clients import Identity, Ledger
from kept import forget, keep, kept
from test_limits import asker

KEPT = "limits"


def log_end() -> int:
    """Lines that stood in the log before the store was taken away."""
    lines: int = kept(KEPT)["lines"]
    return lines


def test_the_store_is_asked(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """The control: what is told later is not told now."""
    source = asker(identity, "free")(ledger).headers["x-ratelimit-source"]
    forget(KEPT)
    keep(KEPT, lines=len(ledger.log_lines()))

    compare((source, ledger.metric("ledger_limiter_store_lost")), ("shared", 0.0))
