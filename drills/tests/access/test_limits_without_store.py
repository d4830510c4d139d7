"""While the shared store is away: still limited, and known to be."""

from __future__ import annotations

from collections.abc import Callable

from clients import Identity, Ledger
from test_limits import TIERS, accepted, asker, burst, most, quick_enough, within
from test_limits_with_store import log_end

LOST = "limiter-store-lost"


def test_without_its_store_an_instance_limits_alone(
    identity: Identity, ledger: Ledger, record_property: Callable[[str, object], None]
) -> None:
    """The declared fallback is local: not open, not closed."""
    answers, took_s = burst(asker(identity, "free"), [ledger], 120)

    limit = most("free", took_s)
    quick_enough(limit < 120, "go over the limit")
    within(record_property, accepted(answers), TIERS["free"], limit, 120)
    assert {answer.headers["x-ratelimit-source"] for answer in answers} == {"local"}


def test_the_loss_is_seen_in_metrics_and_log(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """Somebody must be told that N instances now let N times the limit pass."""
    asker(identity, "free")(ledger)
    lost = [line for line in ledger.log_lines()[log_end() :] if line.get("event") == LOST]
    since = "told in the log since the drill began"

    compare(
        {"gauge": ledger.metric("ledger_limiter_store_lost"), since: bool(lost)},
        {"gauge": 1.0, since: True},
    )
