"""What the checks before, during and after an outage of the identity provider agree on."""

from __future__ import annotations

from clients import fact

LEDGER = "ledger-patient"
TTL_S = float(fact(LEDGER, "jwks-ttl-s"))
COOLDOWN_S = float(fact(LEDGER, "jwks-cooldown-s"))
KEPT = "provider-outage"  # tokens cannot be had while the provider is away: those of before
