"""The database from the archive alone: fresh folder, verified base, explicit target reached.

Its pages are verified before a client sees it, its tables and indexes while it serves already.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Archive, Checks, Stop, ask, fail, run
from base import fetch, find_backup
from received import take_received
from recovery import aim, check_pages, check_tables, replay, stop_words, write_settings
from tools import find_tool

START_WITHIN_S = 240  # it replays once more, from the last checkpoint before the target


def restore(wanted: dict[str, Any], checks: Checks) -> str:
    """Do it; returns one line on what was done."""
    database, archive = wanted["database"], Archive(wanted["archive"])
    began = time.monotonic()
    refuse_a_living_source(database, checks)
    final = Path(database["restore-into"]) / f"restored-{wanted['run']}"
    # A run that dies removes what begins like this; what has its own name may hold writes.
    fresh = final.with_name(f"fireproof-{wanted['run']}-restoring")
    received = final.with_name(f"fireproof-{wanted['run']}-received")
    for path in (final, fresh):
        if path.exists():
            raise Stop(f"{path} exists; a restore goes to a fresh folder")
    tool = find_tool(wanted)
    own = shlex.quote(wanted["archive"]["restore-command"])
    command = tool.restore_command(fresh) if tool else own
    if receiver := wanted.get("receiver"):
        target = take_received(receiver, database, received)
        # First what was received: it is as new as the last acknowledged write.
        command = f"cp {shlex.quote(str(received))}/%f %p 2>/dev/null || {command}"
    else:
        target = find_target(wanted["target"], archive)
    chain = find_backup(archive, target, f"base-{tool.name}" if tool else "base")
    try:
        if tool:
            tool.fetch(chain[-1], fresh, checks)
        else:
            fetch(chain, archive, fresh, database, checks)
        fetched = time.monotonic()
        aim(fresh, target, command)
        replay(database, fresh, target, Path(wanted["outputs"]), checks)
        check_pages(database, fresh, checks)
        fresh.rename(final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    replayed = time.monotonic()
    start(database, final, target, checks)
    started = time.monotonic()
    check_tables(database, checks)
    if receiver:  # it followed the source; this copy has no slot for it
        run([database["ctl"], "stop", "wal-receiver"], "stopping the receiver")
        shutil.rmtree(received, ignore_errors=True)
    checks.save(target["name"])
    return (
        f"restored {chain[-1]['name']} to {target['name']} in {final}: {fetched - began:.1f} s to "
        f"fetch, {replayed - fetched:.1f} s to replay, {started - replayed:.1f} s to start"
    )


def refuse_a_living_source(database: dict[str, str], checks: Checks) -> None:
    """A restore that could read its source proves nothing."""
    address = database["host"], int(database["port"])
    seen = []
    with socket.socket() as line:
        line.settimeout(1.0)
        if line.connect_ex(address) == 0:
            seen.append(f"a server answers on {address[0]}:{address[1]}")
    if os.path.lexists(database["data-directory"]):
        seen.append(f"{database['data-directory']} is still there")
    expected = "no server answers and its data directory is gone"
    checks.must("source-unreachable", not seen, expected, "; ".join(seen) or expected)


def find_target(name: str, archive: Archive) -> dict[str, Any]:
    """The asked restore point, or the newest that the archive is known to cover."""
    if name:
        return {"name": name}
    newest: dict[str, Any] = archive.read_json(
        "restore-points/latest.json", "no confirmed restore point"
    )
    return newest


def start(database: dict[str, str], fresh: Path, target: dict[str, Any], checks: Checks) -> None:
    """Start the copy on the old port; returns when it is promoted at the target."""
    write_settings(fresh, {"recovery_target_action": "promote"})
    log = Path(database["log"])
    offset = log.stat().st_size if log.exists() else 0
    within = f"within={START_WITHIN_S}"
    argv = [database["ctl"], "start", "ledger-db", f"data-directory={fresh}", within]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    with log.open("rb") as file:
        file.seek(offset)
        said = file.read().decode("utf-8", "replace")
    expected = f"started, {stop_words(target)}, and writable"
    if done.returncode != 0 or stop_words(target) not in said:
        words = (done.stderr.strip().splitlines() or ["it did not stop at the target"])[0]
        checks.must("promoted", False, expected, words)
    psql = [str(Path(database["bin"]) / "psql"), "-XAtqd", database["dsn"], "-c"]
    recovering = run([*psql, "SELECT pg_is_in_recovery()"], "asking the copy").strip()
    checks.must("promoted", recovering == "f", expected, f"pg_is_in_recovery() is {recovering}")


def main() -> None:
    """Restore as standard input says; the restore point's name is the step's value."""
    try:
        wanted = ask()
        checks = Checks(wanted["outputs"])
        print(restore(wanted, checks))
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
