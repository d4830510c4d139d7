"""A ledger with a crowd before it: behind the link its capacity is what the link lets through."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site

IN_FLIGHT_MAX = 128


def build(site: Site) -> Built:
    """Running and ready. All that are let in may wait for a connection: nothing else refuses."""
    settings = {
        "LEDGER_MAX_IN_FLIGHT": str(IN_FLIGHT_MAX),
        "LEDGER_POOL_WAITING": "1000",
        "LEDGER_POOL_WAIT_MS": "1500",
    }
    more = {"in-flight-max": str(IN_FLIGHT_MAX)}
    return build_ledger(site, "ledger-crowd", settings, more, database="ledger-link")


COMPONENT = Component(
    "ledger-crowd", build, needs=("ledger-db", "ledger-link"), ports=("ledger-crowd",)
)
