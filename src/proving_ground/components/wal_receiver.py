"""A second, synchronous copy of the WAL; a drill that wants one starts it."""

from __future__ import annotations

import os
from pathlib import Path

from proving_ground.components.site import Built, Component, Site
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built | None:
    """Known to the supervisor; left out where the database is not the lab's own."""
    database = site.says("ledger-db")
    if database is None or "control" not in database:
        return None
    directory = site.root / "wal-received"
    directory.mkdir(mode=0o700, exist_ok=True)
    if site.user:
        os.chown(directory, *site.user)
    lines = (site.folder.secrets / "pgpass").read_text("utf-8").splitlines(keepends=True)
    mine = "".join(line for line in lines if ":backup:" in line)
    passfile = site.folder.secret("pgpass-wal-receiver", mine, site.user)
    dsn = f"host=127.0.0.1 port={database['port']} user=backup passfile={passfile}"
    dsn += " application_name=wal-receiver connect_timeout=2"
    site.declare(
        ServerSpec(
            name="wal-receiver",
            argv=(
                str(Path(database["bin"]) / "pg_receivewal"),
                *("-d", dsn, "-D", str(directory), "--slot=wal_receiver"),
                *("--synchronous", "--no-password"),
            ),
            ready={"kind": "path", "path": str(directory)},
            user=site.user,
        )
    )
    says = {
        "kind": "process",
        **site.common("wal-receiver"),
        "directory": str(directory),
        "slot": "wal_receiver",
        "faults": [],
    }
    return Built(says, runs=False)


COMPONENT = Component("wal-receiver", build, needs=("ledger-db",))
