"""One more process of the ledger, at a port of its own, with settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from proving_ground.components.site import PYTHON, Built, Site
from proving_ground.spec import ServerSpec


def build_ledger(
    site: Site,
    name: str,
    settings: Mapping[str, str],
    more: Mapping[str, Any] | None = None,
    database: str = "ledger-db",
) -> Built:
    """Running and ready, straight at its ``database`` or at a link; ``more`` is said of it too."""
    site.report(f"{name}: starting")
    port = site.port(name)
    url = f"http://127.0.0.1:{port}"
    dsn = (site.aside(database) or site.aside("ledger-db"))["service-dsn"]
    named = {"LEDGER_DSN": f"{dsn} application_name={name}", "LEDGER_INSTANCE": name}
    service = ServerSpec(
        name=name,
        argv=(*PYTHON, "ledger", str(port), *site.defects("ledger")),
        ready={"kind": "http", "url": f"{url}/readyz"},
        env={**named, **settings},
    )
    site.start(service)
    # From now on it counts as started once it lives, whatever its database does.
    site.declare(replace(service, ready={"kind": "http", "url": f"{url}/healthz"}))
    says = {"kind": "http", "url": url, "port": str(port), **site.common(name)}
    return Built({**says, "faults": ["kill", "pause"], **(more or {})}, port)
