"""The switch in front of the replicas: clients of a deployment talk to this one address."""

from __future__ import annotations

import shlex

from proving_ground.components.replica import FIRST_IN_SERVICE
from proving_ground.components.site import PYTHON, Built, Component, Site, sha256
from proving_ground.ledger import defects
from proving_ground.providers import caddy

REPLICAS = ("ledger-blue", "ledger-green", "ledger-amber")


def build(site: Site) -> Built:
    """Running; the slot file that the replicas share says which of them are in service."""
    site.report("switch: starting")
    port, admin = site.port("switch"), site.port("switch-admin")
    replicas = [site.says(name) or {} for name in REPLICAS]
    upstreams = [f"127.0.0.1:{replica['port']}" for replica in replicas]
    choices = site.folder.log / "switch-choices.log"
    # Caddy knows no defects; its configuration, which is made here, may have them.
    defects.take(list(site.defects("switch")), "switch")
    site.start(caddy.make_switch(site.folder, "switch", port, admin, upstreams, choices))
    slot = replicas[0]["slot"]
    words = f'#!/bin/sh\nexec {shlex.join([*PYTHON, "slot", slot])} "$@"\n'
    binary = caddy.caddy_binary()
    says = {
        "kind": "http",
        "url": f"http://127.0.0.1:{port}",
        "port": str(port),
        "admin": f"http://127.0.0.1:{admin}",
        "binary": str(binary),
        "config": str(site.root / "switch" / "caddy.json"),
        "slot": slot,
        "set-slot": str(site.folder.script("slot", words)),
        "choices": str(choices),
        "home": FIRST_IN_SERVICE,
        "replicas": " ".join(REPLICAS),
        "state": str(site.folder.run / "deployed.state"),
        **site.common("switch"),
        "faults": ["kill", "pause", "playbook"],
    }
    record = {"caddy": caddy.caddy_version(binary), "caddy-sha256": sha256(binary)}
    return Built(says, port, record=record)


COMPONENT = Component("switch", build, needs=REPLICAS, ports=("switch", "switch-admin"))
