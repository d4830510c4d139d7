"""Every checkpoint that the engine showed to anybody, by its own log, against what is stored."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, obey

SHOWN_MIN = 10  # fewer, and the kill did not come in the midst of writes


def shown(log: Path, start: int) -> dict[int, str]:
    """Digest of each checkpoint by its number; the newest word counts. A torn line is none."""
    found: dict[int, str] = {}
    with log.open("rb") as file:
        file.seek(start)
        for line in file.read().decode("utf-8", "replace").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("message") == "checkpoint shown":
                number, digest = said["detail"].split()
                found[int(number)] = digest
    return found


def judge(wanted: dict[str, Any], checks: Checks) -> None:
    """What was shown since ``log_from`` must be stored, by number and digest."""
    import psycopg

    log = Path(wanted["components"]["merkle-engine"]["log"])
    found = shown(log, int(wanted["log_from"]))
    with psycopg.connect(wanted["components"]["ledger-db"]["dsn"]) as conn:
        rows = conn.execute("SELECT number, note FROM checkpoints").fetchall()
    stored = {number: hashlib.sha256(note.encode()).hexdigest() for number, note in rows}
    lost = [number for number, digest in sorted(found.items()) if stored.get(number) != digest]
    # One that is lost is lost, however few were shown; few that are all there show little.
    told = False if lost else (True if len(found) >= SHOWN_MIN else None)
    first = f"; first missing: {lost[0]}" if lost else ""
    seen = f"{len(found) - len(lost)} of {len(found)} stored{first}"
    checks.add("shown-checkpoints-stored", told, f"all of {SHOWN_MIN} or more", seen)


if __name__ == "__main__":
    obey(judge)
