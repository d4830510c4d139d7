"""The ledger as the old drills know it: one process, profile development, behind the link."""

from __future__ import annotations

from dataclasses import replace

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built:
    """Running and ready."""
    site.report("ledger-api: starting")
    port = site.port("ledger-api")
    url = f"http://127.0.0.1:{port}"
    dsn = (site.aside("ledger-link") or site.aside("ledger-db"))["service-dsn"]
    service = ServerSpec(
        name="ledger-api",
        argv=(*PYTHON, "ledger", str(port), *site.defects("ledger")),
        ready={"kind": "http", "url": f"{url}/readyz"},
        env={"LEDGER_DSN": f"{dsn} application_name=ledger-api", "LEDGER_INSTANCE": "ledger-api"},
    )
    site.start(service)
    # From now on it counts as started once it lives, whatever its database does.
    site.declare(replace(service, ready={"kind": "http", "url": f"{url}/healthz"}))
    says = {
        "kind": "http",
        "url": url,
        "port": str(port),
        **site.common("ledger-api"),
        "faults": ["kill", "pause"],
    }
    return Built(says, port)


COMPONENT = Component(
    "ledger-api", build, needs=("ledger-db", "ledger-link"), ports=("ledger-api",)
)
