"""How long a new key can be delayed, and a retired one believed: measured with own keys."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients import Identity, Ledger, fact

TTL_S = float(fact("ledger-secure", "jwks-ttl-s"))
COOLDOWN_S = float(fact("ledger-secure", "jwks-cooldown-s"))
SLACK_S = 0.5  # an answer of the provider and one of the ledger, on a busy machine
JUNK = 12


def test_somebodys_junk_delays_a_new_key_by_the_cooldown_at_most(
    identity: Identity, ledger: Ledger, at_most: Callable[..., None]
) -> None:
    """The price of not asking the provider for each made-up key id."""
    time.sleep(COOLDOWN_S)
    junk = identity.tokens("junk-kid")["junk-kid"]
    assert ledger.append(junk).status_code == 401
    kid = identity.ask("POST", "/keys/publish", algorithm="ES256")["kid"]
    token = identity.token(kid=kid)
    delay_s, _ = ledger.status_until(token, 201, within_s=3 * TTL_S)
    identity.ask("POST", f"/keys/{kid}/retire")

    at_most(delay_s, COOLDOWN_S + SLACK_S, "s")


def test_junk_does_not_reach_the_provider(
    identity: Identity, ledger: Ledger, at_most: Callable[..., None]
) -> None:
    """Strangers could else turn the ledger against its own provider."""
    junk = [identity.tokens("junk-kid")["junk-kid"] for _ in range(JUNK)]
    before, began = ledger.metric("ledger_jwks_fetches"), time.monotonic()
    for token in junk:
        assert ledger.append(token).status_code == 401
    took_s = time.monotonic() - began
    fetches = ledger.metric("ledger_jwks_fetches") - before

    at_most(fetches, int(took_s / COOLDOWN_S) + 2, f"reads of the key set for {JUNK} made-up keys")


def test_a_retired_key_is_refused_in_time(
    identity: Identity, ledger: Ledger, at_most: Callable[..., None]
) -> None:
    """Its token is valid for minutes; the key is what ends it."""
    kid = identity.ask("POST", "/keys/publish", algorithm="EdDSA")["kid"]
    token = identity.token(kid=kid)
    accepted_s, _ = ledger.status_until(token, 201, within_s=2 * TTL_S)
    assert accepted_s < 2 * TTL_S, "it was never accepted"
    identity.ask("POST", f"/keys/{kid}/retire")
    latency_s, _ = ledger.status_until(token, 401, within_s=2 * TTL_S)

    at_most(latency_s, TTL_S + SLACK_S, "s")
    assert ledger.append(token).status_code == 401
