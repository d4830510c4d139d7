"""The line from ledger-api to its database, which drills may spoil.

Everybody else, the read of the canary and the restore among them, goes to the database itself.
"""

from __future__ import annotations

import os

from proving_ground.components.link_process import build_link
from proving_ground.components.site import Built, Component, Site

_SWITCH = "LEDGER_LINK"  # set to "direct", ledger-api talks to its database without the proxy


def build(site: Site) -> Built | None:
    """Running; left out on demand, and where the database is not the lab's own."""
    database = site.says("ledger-db")
    if database is None or "control" not in database or os.environ.get(_SWITCH) == "direct":
        return None
    port, behind = site.port("ledger-link"), database["port"]
    passfile = site.folder.secrets / "pgpass"
    lines = passfile.read_text("utf-8").splitlines(keepends=True)
    ours = [line for line in lines if line.startswith(f"127.0.0.1:{behind}:*:ledger:")]
    more = (line.replace(f":{behind}:", f":{port}:", 1) for line in ours)
    site.folder.secret("pgpass", "".join([*lines, *more]))
    dsn = site.aside("ledger-db")["service-dsn"].replace(f"port={behind} ", f"port={port} ")
    return build_link(site, "ledger-link", behind, "link-api", {"service-dsn": dsn})


COMPONENT = Component("ledger-link", build, needs=("ledger-db",), ports=("ledger-link", "link-api"))
