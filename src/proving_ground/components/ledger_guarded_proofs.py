"""The guards before proofs, for a matrix of tenants that asks for everything."""

from __future__ import annotations

from proving_ground.components.secure import secure_ledger

COMPONENT = secure_ledger("ledger-guarded-proofs", "postgres", proofs=True)
