"""The line from the ledger to the Merkle engine, which drills may spoil."""

from __future__ import annotations

import sys

from proving_ground.components.site import Built, Component, Site
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built | None:
    """Running, in front of the engine."""
    engine = site.says("merkle-engine")
    if engine is None:
        return None
    port, api = site.port("engine-link"), site.port("engine-link-api")
    listen, to = f"127.0.0.1:{port}", f"127.0.0.1:{engine['port']}"
    site.start(
        ServerSpec(
            name="engine-link",
            argv=(
                *(sys.executable, "-P", "-m", "fireproof.faults.tcp_proxy"),
                *("--api", f"127.0.0.1:{api}", f"engine-link={listen}={to}"),
            ),
            ready={"kind": "http", "url": f"http://127.0.0.1:{api}/version"},
        )
    )
    says = {
        "kind": "tcp-proxy",
        "api": f"http://127.0.0.1:{api}",
        "proxy": "engine-link",
        "host": "127.0.0.1",
        "port": str(port),
        "upstream": to,
        **site.common("engine-link"),
        "faults": ["latency", "stall", "black-hole", "throttle", "reset", "kill", "pause"],
    }
    return Built(says, port)


COMPONENT = Component(
    "engine-link", build, needs=("merkle-engine",), ports=("engine-link", "engine-link-api")
)
