"""After the shared store is back."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients import Identity, Ledger
from test_limits import asker

BACK_WITHIN_S = 5.0


def test_the_store_is_asked_again(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """Without a restart; the fallback must not stay."""
    ask, give_up_at = asker(identity, "free"), time.monotonic() + BACK_WITHIN_S
    while (
        source := ask(ledger).headers["x-ratelimit-source"]
    ) != "shared" and time.monotonic() < give_up_at:
        time.sleep(0.2)

    compare((source, ledger.metric("ledger_limiter_store_lost")), ("shared", 0.0))
