"""The same guards before the memory driver; profile development, since production refuses it."""

from __future__ import annotations

from proving_ground.components.secure import secure_ledger

COMPONENT = secure_ledger("ledger-memory", "memory")
