"""The line from the ledger to the Merkle engine, which drills may spoil."""

from __future__ import annotations

from proving_ground.components.link_process import build_link
from proving_ground.components.site import Built, Component, Site


def build(site: Site) -> Built | None:
    """Running, in front of the engine."""
    engine = site.says("merkle-engine")
    if engine is None:
        return None
    return build_link(site, "engine-link", engine["port"], "engine-link-api")


COMPONENT = Component(
    "engine-link", build, needs=("merkle-engine",), ports=("engine-link", "engine-link-api")
)
