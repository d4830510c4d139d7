"""The guarded ledger of the drills."""

from __future__ import annotations

from proving_ground.components.secure import secure_ledger

COMPONENT = secure_ledger("ledger-secure", "postgres")
