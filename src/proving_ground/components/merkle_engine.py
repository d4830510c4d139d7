"""The Merkle engine: reads the events, signs checkpoints, proves."""

from __future__ import annotations

from dataclasses import replace

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.merkle.note import ORIGIN, make_key
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built:
    """Running, with a key of this lab; ready when it follows the events."""
    site.report("merkle-engine: starting")
    port = site.port("merkle-engine")
    url = f"http://127.0.0.1:{port}"
    private = site.folder.secrets / "merkle-engine.pem"
    public = site.folder.run / "merkle-engine.pub.pem"
    private.unlink(missing_ok=True)
    make_key(private, public)
    dsn = site.aside("ledger-db")["service-dsn"].replace("user=ledger ", "user=engine ")
    service = ServerSpec(
        name="merkle-engine",
        argv=(*PYTHON, "engine", str(port), *site.defects("engine")),
        ready={"kind": "http", "url": f"{url}/readyz"},
        env={"ENGINE_DSN": dsn, "ENGINE_KEY_FILE": str(private), "ENGINE_ORIGIN": ORIGIN},
    )
    site.start(service)
    # A drill that starts it again waits for the drain itself, by the ledger's backlog.
    site.declare(replace(service, ready={"kind": "http", "url": f"{url}/healthz"}))
    says = {
        "kind": "http",
        "url": url,
        "host": "127.0.0.1",
        "port": str(port),
        "public-key": str(public),
        "origin": ORIGIN,
        "replay": site.command("replay", "replay"),
        **site.common("merkle-engine"),
        "faults": ["kill", "pause", "playbook"],
    }
    return Built(says, port, aside={"public-key": str(public), "origin": ORIGIN})


COMPONENT = Component("merkle-engine", build, needs=("ledger-db",), ports=("merkle-engine",))
