"""The companion that marks restore points and confirms them in the archive."""

from __future__ import annotations

import json

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.providers import s3
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built | None:
    """Running; left out where the database is not the lab's own."""
    archive, database = site.says("archive"), site.says("ledger-db")
    if archive is None or database is None or "control" not in database:
        return None
    passfile = site.folder.secrets / "pgpass"
    beat = site.folder.run / "wal-marks.beat"
    rclone = [archive["rclone"], "--config", archive["rclone-config"], *s3.RCLONE_FLAGS.split()]
    dsn = f"host=127.0.0.1 port={database['port']} dbname=ledger user=marks passfile={passfile}"
    facts = {
        "dsn": dsn,
        "rclone": "\n".join(rclone),
        "remote": archive["remote"],
        "beat": str(beat),
    }
    path = site.folder.run / "wal-marks.facts"
    path.write_text(json.dumps(facts), "utf-8")
    site.start(
        ServerSpec(
            name="wal-marks",
            argv=(*PYTHON, "marks", str(path)),
            ready={"kind": "beat", "path": str(beat)},
        )
    )
    return Built({"kind": "process", **site.common("wal-marks"), "faults": ["kill", "pause"]})


COMPONENT = Component("wal-marks", build, needs=("archive", "ledger-db"))
