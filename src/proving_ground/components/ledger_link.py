"""The line from ledger-api to its database, which drills may spoil.

Everybody else, the read of the canary and the restore among them, goes to the database itself.
"""

from __future__ import annotations

import os
import sys

from proving_ground.components.site import Built, Component, Site
from proving_ground.spec import ServerSpec

_SWITCH = "LEDGER_LINK"  # set to "direct", ledger-api talks to its database without the proxy


def build(site: Site) -> Built | None:
    """Running; left out on demand, and where the database is not the lab's own."""
    database = site.says("ledger-db")
    if database is None or "control" not in database or os.environ.get(_SWITCH) == "direct":
        return None
    port, api = site.port("ledger-link"), site.port("link-api")
    behind = database["port"]
    passfile = site.folder.secrets / "pgpass"
    lines = passfile.read_text("utf-8").splitlines(keepends=True)
    ours = [line for line in lines if line.startswith(f"127.0.0.1:{behind}:*:ledger:")]
    more = (line.replace(f":{behind}:", f":{port}:", 1) for line in ours)
    site.folder.secret("pgpass", "".join([*lines, *more]))
    listen, to = f"127.0.0.1:{port}", f"127.0.0.1:{behind}"
    site.start(
        ServerSpec(
            name="ledger-link",
            argv=(
                *(sys.executable, "-P", "-m", "fireproof.faults.tcp_proxy"),
                *("--api", f"127.0.0.1:{api}", f"ledger-link={listen}={to}"),
            ),
            ready={"kind": "http", "url": f"http://127.0.0.1:{api}/version"},
        )
    )
    says = {
        "kind": "tcp-proxy",
        "api": f"http://127.0.0.1:{api}",
        "proxy": "ledger-link",
        "host": "127.0.0.1",
        "port": str(port),
        "upstream": to,
        **site.common("ledger-link"),
        "faults": ["latency", "stall", "black-hole", "throttle", "reset", "kill", "pause"],
    }
    dsn = site.aside("ledger-db")["service-dsn"].replace(f"port={behind} ", f"port={port} ")
    return Built(says, port, aside={"service-dsn": dsn})


COMPONENT = Component("ledger-link", build, needs=("ledger-db",), ports=("ledger-link", "link-api"))
