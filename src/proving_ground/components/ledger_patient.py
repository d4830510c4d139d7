"""A guarded ledger that keeps the key set long enough for a drill to outlive the provider."""

from __future__ import annotations

from proving_ground.components.secure import secure_ledger

COMPONENT = secure_ledger("ledger-patient", "postgres", jwks_ttl_s=15)
