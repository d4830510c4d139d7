"""States of a lab in the middle of a step: where a kill does the most harm."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from proving_ground.lab import Lab
from support.standing_lab import serving_from


def told(lab: Lab, path: str) -> str:
    """Text of a file of the lab; empty while there is none."""
    with contextlib.suppress(OSError):
        return (lab.root / path).read_text("utf-8")
    return ""


def keys(lab: Lab) -> list[str]:
    """State of each signing key that is not retired."""
    with contextlib.suppress(ValueError):
        found = json.loads(told(lab, "secrets/identity-keys.json"))
        return [key["state"] for key in found if key["state"] != "retired"]
    return []


def has_data(folder: Path) -> bool:
    return (folder / "PG_VERSION").exists()


def uploads_a_backup(lab: Lab) -> bool:
    """What completes a backup comes last."""
    backups = (lab.root / "archive" / "data").glob("*/*/base/*")
    return any(not (path / "backup.json").exists() for path in backups)


SEEN: dict[str, Callable[[Lab], bool]] = {
    "backup-half-uploaded": uploads_a_backup,
    "providers-refuse": lambda lab: '"500"' in told(lab, "run/notify-1.params"),
    "data-aside": lambda lab: any(lab.folder.database.glob("*.corrupt")),
    "restored-beside-aside": lambda lab: (
        any(lab.folder.database.glob("*.corrupt")) and (lab.folder.run / "ledger-db.pid").exists()
    ),
    "half-discarded": lambda lab: any(lab.folder.database.glob("fireproof-*-corrupt")),
    "engine-stopped": lambda lab: not (lab.folder.run / "merkle-engine.pid").exists(),
    "two-keys": lambda lab: len(keys(lab)) == 2,
    "two-secrets": lambda lab: len(told(lab, "secrets/ledger-event-secret").split()) == 2,
    "two-logins": lambda lab: len(told(lab, "secrets/pgpass-ledger-secure").splitlines()) == 2,
    "database-stopped": lambda lab: not (lab.folder.run / "ledger-db.pid").exists(),
    "standby-waited-for": lambda lab: (lab.folder.run / "ledger-standby.pid").exists(),
    "standby-promoted": lambda lab: (
        has_data(lab.root / "ledger-standby" / "data")
        and not (lab.root / "ledger-standby" / "data" / "standby.signal").exists()
    ),
    "switching-back": lambda lab: any(
        has_data(path) and str(path) != serving_from(lab)
        for path in lab.folder.database.glob("switched-*")
    ),
    "receiver-runs": lambda lab: (lab.folder.run / "wal-receiver.pid").exists(),
    "v2-runs": lambda lab: '"v2"' in told(lab, "run/ledger-green.params"),
    "v2-serves": lambda lab: told(lab, "run/slot").split() == ["ledger-green"],
    "moved": lambda lab: "ledger-green" in told(lab, "run/slot"),
    "logs-errors-alone": lambda lab: '"error"' in told(lab, "run/ledger-amber.params"),
    "replica-stopped": lambda lab: not (lab.folder.run / "ledger-green.pid").exists(),
    "cache-stopped": lambda lab: not (lab.folder.run / "cache-store.pid").exists(),
    "limiter-stopped": lambda lab: not (lab.folder.run / "limiter-store.pid").exists(),
}
