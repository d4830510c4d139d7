"""A ledger that knows both databases and writes to whichever takes writes."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site


def build(site: Site) -> Built | None:
    """Running and ready; libpq finds the one that is not read-only."""
    database, standby = site.says("ledger-db"), site.says("ledger-standby")
    if database is None or standby is None:
        return None
    dsn = site.aside("ledger-db")["service-dsn"]
    dsn = dsn.replace("host=127.0.0.1 ", "host=127.0.0.1,127.0.0.1 ")
    dsn = dsn.replace(f"port={database['port']} ", f"port={database['port']},{standby['port']} ")
    dsn = f"{dsn} target_session_attrs=read-write application_name=ledger-ha"
    return build_ledger(site, "ledger-ha", {"LEDGER_DSN": dsn})


COMPONENT = Component(
    "ledger-ha", build, needs=("ledger-db", "ledger-standby"), ports=("ledger-ha",)
)
