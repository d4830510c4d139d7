"""A ledger that knows both databases and writes to whichever takes writes."""

from __future__ import annotations

from dataclasses import replace

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built | None:
    """Running and ready; libpq finds the one that is not read-only."""
    database, standby = site.says("ledger-db"), site.says("ledger-standby")
    if database is None or standby is None:
        return None
    site.report("ledger-ha: starting")
    port = site.port("ledger-ha")
    url = f"http://127.0.0.1:{port}"
    dsn = site.aside("ledger-db")["service-dsn"]
    dsn = dsn.replace("host=127.0.0.1 ", "host=127.0.0.1,127.0.0.1 ")
    dsn = dsn.replace(f"port={database['port']} ", f"port={database['port']},{standby['port']} ")
    service = ServerSpec(
        name="ledger-ha",
        argv=(*PYTHON, "ledger", str(port), *site.defects("ledger")),
        ready={"kind": "http", "url": f"{url}/readyz"},
        env={
            "LEDGER_DSN": f"{dsn} target_session_attrs=read-write application_name=ledger-ha",
            "LEDGER_INSTANCE": "ledger-ha",
        },
    )
    site.start(service)
    # From now on it counts as started once it lives, whatever its databases do.
    site.declare(replace(service, ready={"kind": "http", "url": f"{url}/healthz"}))
    says = {
        "kind": "http",
        "url": url,
        "port": str(port),
        **site.common("ledger-ha"),
        "faults": ["kill", "pause"],
    }
    return Built(says, port)


COMPONENT = Component(
    "ledger-ha", build, needs=("ledger-db", "ledger-standby"), ports=("ledger-ha",)
)
