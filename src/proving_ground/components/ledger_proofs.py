"""A ledger that hands out proofs: the engine stands behind its link, a breaker and retries."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site

IN_FLIGHT_MAX = 64


def build(site: Site) -> Built:
    """Running and ready; that the engine is away does not keep it from that."""
    engine, link = site.aside("merkle-engine"), site.says("engine-link") or {}
    settings = {
        "LEDGER_ENGINE_URL": f"http://127.0.0.1:{link['port']}",
        "LEDGER_ENGINE_KEY_FILE": engine["public-key"],
        "LEDGER_ENGINE_ORIGIN": engine["origin"],
        "LEDGER_MAX_IN_FLIGHT": str(IN_FLIGHT_MAX),
    }
    more = {
        "in-flight-max": str(IN_FLIGHT_MAX),
        "cross-sign": site.command("cross-sign", "cross-sign"),
    }
    return build_ledger(site, "ledger-proofs", settings, more)


COMPONENT = Component(
    "ledger-proofs",
    build,
    needs=("ledger-db", "merkle-engine", "engine-link"),
    ports=("ledger-proofs",),
)
