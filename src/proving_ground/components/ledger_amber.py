"""The replica amber."""

from __future__ import annotations

from proving_ground.components.replica import replica

COMPONENT = replica("ledger-amber")
