"""Control experiment: the restore is shown a damaged backup, in a scratch place, and must refuse.

The archive itself is left alone: the damage is done to what was downloaded, or stands between the
archive and the recovery. The serving database is neither stopped nor asked.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Archive, Checks, Stop, ask, fail
from base import fetch, find_backup
from recovery import aim, check_pages, replay
from restore import find_target
from tools import find_tool

DAMAGES = ("none", "tampered-base", "missing-wal")


def attempt(wanted: dict[str, Any], checks: Checks) -> str:
    """Try it; returns one line when the damaged backup was accepted."""
    damage = wanted["damage"]
    tampered = damage == "tampered-base"
    if damage not in DAMAGES:
        raise Stop(f"damage: expected {', '.join(DAMAGES)}, got {damage!r}")
    database, archive = wanted["database"], Archive(wanted["archive"])
    target = find_target("", archive)
    tool = find_tool(wanted)
    chain = find_backup(archive, target, f"base-{tool.name}" if tool else "base")
    fresh = Path(database["restore-into"]) / f"fireproof-{wanted['run']}-{damage}"
    if fresh.exists():
        raise Stop(f"{fresh} exists; an attempt goes to a fresh folder")
    try:
        if tool:
            tool.fetch(chain[-1], fresh, checks, tamper_largest if tampered else None)
            command = tool.restore_command(fresh)
        else:
            fetch(chain, archive, fresh, database, checks, tamper if tampered else None)
            command = shlex.quote(wanted["archive"]["restore-command"])
        if damage == "missing-wal":
            # Exit 1, as of an archive that has no such segment: the one that holds the target.
            command = f"test %f != {shlex.quote(target['wal_file'])} && {command}"
        aim(fresh, target, command)
        replay(database, fresh, target, Path(wanted["outputs"]), checks)
        check_pages(database, fresh, checks)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return f"{damage}: accepted, and {target['name']} was reached"


def tamper(download: Path) -> None:
    """One bit of the newest base, in the middle of it."""
    flip(sorted(download.glob("*/base.tar.*"))[-1])


def tamper_largest(backup: Path) -> None:
    """One bit of the largest file of a backup that another tool made."""
    flip(max(backup.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0))


def flip(piece: Path) -> None:
    """One bit, in the middle."""
    with piece.open("r+b") as file:
        file.seek(piece.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def main() -> None:
    """Attempt what standard input says; exit 1 with the reason when it is refused."""
    try:
        wanted = ask()
        print(attempt(wanted, Checks(wanted["outputs"])))
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
