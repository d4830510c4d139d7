"""A second database that follows the first; a drill that wants one has it made (standby.yml)."""

from __future__ import annotations

import os
from pathlib import Path

from proving_ground.components.site import Built, Component, Site
from proving_ground.providers import postgres


def build(site: Site) -> Built | None:
    """Known to the supervisor, with an empty place for its data; left out where the database is
    not the lab's own.
    """
    database = site.says("ledger-db")
    if database is None or "control" not in database:
        return None
    folder, port, behind = site.folder, site.port("ledger-standby"), database["port"]
    home = site.root / "ledger-standby"
    home.mkdir(mode=0o711, exist_ok=True)
    home.chmod(0o711)
    data = home / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    if site.user:
        os.chown(data, *site.user)
    passfile = folder.secrets / "pgpass"
    lines = passfile.read_text("utf-8").splitlines(keepends=True)
    ours = [line for line in lines if line.startswith(f"127.0.0.1:{behind}:")]
    here = [line.replace(f":{behind}:", f":{port}:", 1) for line in ours]
    folder.secret("pgpass", "".join([*lines, *here]))
    # Whichever of the two follows the other reads this one, as the servers' user.
    both = "".join(line for line in (*ours, *here) if ":backup:" in line)
    follows = folder.secret("pgpass-standby", both, site.user)
    site.declare(
        postgres.server(Path(database["bin"]), data, port, site.user, name="ledger-standby")
    )
    base = f"host=127.0.0.1 port={port} passfile={passfile} connect_timeout=2"
    says = {
        "kind": "postgres",
        "dsn": f"{base} user=reader dbname=ledger",
        "admin-dsn": f"{base} user=postgres dbname=ledger",
        "host": "127.0.0.1",
        "port": str(port),
        "data-directory": str(data),
        "restore-into": str(home),
        "bin": database["bin"],
        # Who follows puts host and port before it.
        "follow-dsn": f"user=backup passfile={follows} connect_timeout=2",
        **site.common("ledger-standby"),
        "faults": ["kill", "pause"],
    }
    says["control"]["stop"].append("mode=fast")
    return Built(says, port, runs=False)


COMPONENT = Component("ledger-standby", build, needs=("ledger-db",), ports=("ledger-standby",))
