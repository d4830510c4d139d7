"""The sidecar of the drills, before ``ledger-secure``."""

from __future__ import annotations

from proving_ground.components.sidecar import sidecar

COMPONENT = sidecar("ledger-caller", "ledger-secure")
