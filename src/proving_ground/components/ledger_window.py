"""A ledger whose idempotency window is over soon enough for a drill to see both sides of it."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site

WINDOW_S = 2


def build(site: Site) -> Built:
    """Running and ready."""
    settings = {"LEDGER_IDEMPOTENCY_WINDOW_S": str(WINDOW_S)}
    more = {"window": f"{WINDOW_S}s", "window-seconds": str(WINDOW_S)}
    return build_ledger(site, "ledger-window", settings, more)


COMPONENT = Component("ledger-window", build, needs=("ledger-db",), ports=("ledger-window",))
