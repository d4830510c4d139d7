"""Another instance of it: what instances share, they share with this one."""

from __future__ import annotations

from proving_ground.components.secure import secure_ledger

COMPONENT = secure_ledger("ledger-secure-2", "postgres")
