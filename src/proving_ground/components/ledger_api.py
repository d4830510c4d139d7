"""The ledger as the old drills know it: one process, profile development, behind the link."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site


def build(site: Site) -> Built:
    """Running and ready, behind the link where there is one."""
    dsn = (site.aside("ledger-link") or site.aside("ledger-db"))["service-dsn"]
    return build_ledger(site, "ledger-api", {"LEDGER_DSN": f"{dsn} application_name=ledger-api"})


COMPONENT = Component(
    "ledger-api", build, needs=("ledger-db", "ledger-link"), ports=("ledger-api",)
)
