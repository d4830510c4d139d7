"""A line to a server of the lab, by a proxy that drills may spoil."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from proving_ground.components.site import Built, Site
from proving_ground.spec import ServerSpec


def build_link(
    site: Site, name: str, behind: str, api: str, aside: Mapping[str, str] | None = None
) -> Built:
    """Running, in front of that port; ``api`` names the port it is steered by."""
    port, steer = site.port(name), site.port(api)
    listen, to = f"127.0.0.1:{port}", f"127.0.0.1:{behind}"
    site.start(
        ServerSpec(
            name=name,
            argv=(
                *(sys.executable, "-P", "-m", "fireproof.faults.tcp_proxy"),
                *("--api", f"127.0.0.1:{steer}", f"{name}={listen}={to}"),
            ),
            ready={"kind": "http", "url": f"http://127.0.0.1:{steer}/version"},
        )
    )
    says = {
        "kind": "tcp-proxy",
        "api": f"http://127.0.0.1:{steer}",
        "proxy": name,
        "host": "127.0.0.1",
        "port": str(port),
        "upstream": to,
        **site.common(name),
        "faults": ["latency", "stall", "black-hole", "throttle", "reset", "kill", "pause"],
    }
    return Built(says, port, aside=aside or {})
