"""The database from the archive alone: fresh folder, verified base, explicit target reached."""

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
from archive import Archive, Checks, Stop, ask, fail, lsn, run, sha256

START_WITHIN_S = 240  # replay of the WAL since the base backup; the playbook's limit is behind it


def restore(wanted: dict[str, Any], checks: Checks) -> str:
    """Do it; returns one line on what was done."""
    database, archive = wanted["database"], Archive(wanted["archive"])
    began = time.monotonic()
    refuse_a_living_source(database, checks)
    target = find_target(wanted["target"], archive)
    backup = find_backup(archive, target)
    fresh = Path(database["restore-into"]) / f"restored-{wanted['run']}"
    if fresh.exists():
        raise Stop(f"{fresh} exists; a restore goes to a fresh folder")
    fetch(backup, archive, fresh, database, checks)
    fetched = time.monotonic()
    aim(fresh, target["name"], wanted["archive"]["restore-command"])
    start(database, fresh, target["name"], checks)
    ended = time.monotonic()
    checks.save(target["name"])
    return (
        f"restored {backup['name']} to {target['name']} in {fresh}: "
        f"{fetched - began:.1f} s to fetch, {ended - fetched:.1f} s to replay"
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


def find_backup(archive: Archive, target: dict[str, Any]) -> dict[str, Any]:
    """The newest complete base backup that ends before the target."""
    names = archive.do("lsf", "--dirs-only", "@base", what="listing the base backups").split()
    for name in sorted((name.rstrip("/") for name in names), reverse=True):
        try:
            found: dict[str, Any] = archive.read_json(f"base/{name}/backup.json", "backup.json")
        except Stop:
            continue  # never completed
        if "lsn" not in target or lsn(found["end_lsn"]) <= lsn(target["lsn"]):
            return found
    raise Stop(f"no complete base backup in the archive ends before {target['name']}")


def fetch(
    backup: dict[str, Any],
    archive: Archive,
    fresh: Path,
    database: dict[str, str],
    checks: Checks,
) -> None:
    """Download, compare with the digests of the day it was made, unpack, verify."""
    scratch = fresh.with_name(fresh.name + ".download")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        source = f"@base/{backup['name']}"
        archive.do("copy", source, str(scratch), what="download of the base backup")
        scratch.joinpath("backup.json").unlink(missing_ok=True)
        got = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        wrong = sorted(
            name
            for name in backup["files"].keys() | got.keys()
            if backup["files"].get(name) != got.get(name)
        )
        checks.must(
            "backup-intact",
            not wrong,
            f"{len(backup['files'])} files as recorded when the backup was made",
            f"these differ: {', '.join(wrong)}" if wrong else f"{len(got)} files, all the same",
        )
        fresh.mkdir(mode=0o700)
        unpack(sorted(scratch.glob("base.tar.*")), fresh)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    run(
        [str(Path(database["bin"]) / "pg_verifybackup"), "--quiet", str(fresh)],
        "pg_verifybackup of the unpacked copy",
    )


def unpack(pieces: list[Path], fresh: Path) -> None:
    with subprocess.Popen(["cat", *map(str, pieces)], stdout=subprocess.PIPE) as cat:
        tar = ["tar", "-C", str(fresh), "-xpf", "-", "--no-same-owner"]
        done = subprocess.run(tar, stdin=cat.stdout, check=False)
    if cat.returncode != 0 or done.returncode != 0:
        raise Stop(f"unpacking: cat ended with {cat.returncode}, tar with {done.returncode}")


def aim(fresh: Path, target: str, restore_command: str) -> None:
    """Recover to the named point or fail; Postgres promotes only once it is reached."""
    if not target.replace("-", "").replace("_", "").isalnum():
        raise Stop(f"{target!r} is no name of a restore point")
    command = f"{shlex.quote(restore_command)} %f %p".replace("'", "''")
    settings = {
        "restore_command": command,
        "recovery_target_name": target,
        "recovery_target_action": "promote",
        "archive_mode": "off",  # the copy must not write into the archive it came from
        "hot_standby": "off",  # it takes connections when it is promoted, not before
    }
    with (fresh / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
    (fresh / "recovery.signal").touch(mode=0o600)


def start(database: dict[str, str], fresh: Path, target: str, checks: Checks) -> None:
    """Start the copy on the old port; returns when it is promoted at the target."""
    log = Path(database["log"])
    offset = log.stat().st_size if log.exists() else 0
    within = f"within={START_WITHIN_S}"
    argv = [database["ctl"], "start", "ledger-db", f"data-directory={fresh}", within]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode("utf-8", "replace").splitlines()
    stops = [line for line in lines if "recovery stopping" in line]
    # "<time> [<pid>] LOG:  recovery stopping at restore point "NAME", time ..."
    seen = stops[-1].partition("LOG:")[2].strip() if stops else ""
    words = (done.stderr.strip().splitlines() or ["it did not say why"])[0]
    expected = f'recovery stopping at restore point "{target}"'
    reached = expected in seen and done.returncode == 0
    checks.must("target-reached", reached, expected, seen if reached else seen or words)
    psql = [str(Path(database["bin"]) / "psql"), "-XAtqd", database["dsn"], "-c"]
    recovering = run([*psql, "SELECT pg_is_in_recovery()"], "asking the copy").strip()
    checks.must("promoted", recovering == "f", "pg_is_in_recovery() is f", recovering)


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
