"""While the identity provider answers: its key set is read, and a token is made for later."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients import Identity, Ledger, fact
from kept import forget, keep
from provider_outage import KEPT, LEDGER, reads, seen


def test_with_its_provider_it_believes_and_reads_the_key_set(
    identity: Identity, compare: Callable[..., None]
) -> None:
    """Else what comes later could have another reason; the last reading begins the keys' time."""
    ledger, began_s = Ledger(LEDGER), time.monotonic()
    tokens = identity.tokens("good", "junk-kid", tier="premium")
    forget(KEPT)
    keep(KEPT, junk=tokens["junk-kid"])
    found: dict[str, object] = {"good": ledger.append(tokens["good"]).status_code}
    time.sleep(float(fact(LEDGER, "jwks-cooldown-s")))
    before_s = time.monotonic()
    found["unknown key"] = ledger.append(tokens["junk-kid"]).status_code
    found["it looked for that key"] = reads()[-1] >= before_s
    found["clients refused"] = len(seen().since(began_s).refused())

    compare(
        found,
        {"good": 201, "unknown key": 401, "it looked for that key": True, "clients refused": 0},
    )
