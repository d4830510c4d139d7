"""While the identity provider answers: its key set is read, and tokens are made for later."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients import Identity, Ledger
from kept import forget, keep
from provider_outage import COOLDOWN_S, KEPT, LEDGER


def test_with_its_provider_it_believes_and_reads_the_key_set(
    identity: Identity, compare: Callable[..., None]
) -> None:
    """Else what comes later could have another reason; the reading begins the keys' time."""
    ledger = Ledger(LEDGER)
    tokens = identity.tokens("good", "junk-kid", tier="premium", for_s=600)
    found = {"good": ledger.append(tokens["good"]).status_code}
    time.sleep(COOLDOWN_S)
    fetches = ledger.metric("ledger_jwks_fetches")
    before_s = time.monotonic()
    found["unknown key"] = ledger.append(tokens["junk-kid"]).status_code
    after_s = time.monotonic()
    found["reads of the key set"] = int(ledger.metric("ledger_jwks_fetches") - fetches)
    forget(KEPT)
    keep(KEPT, **tokens, read_s=[before_s, after_s])

    compare(found, {"good": 201, "unknown key": 401, "reads of the key set": 1})
