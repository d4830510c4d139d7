"""A base backup: taken, verified, packed, uploaded; ``backup.json`` comes last and completes it."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import PIECE, Archive, Checks, Stop, ask, fail, last_words, run, sha256
from tools import Tool, find_tool


def back_up(wanted: dict[str, Any], checks: Checks) -> dict[str, Any]:
    """Make one; returns what ``backup.json`` says."""
    database, archive = wanted["database"], Archive(wanted["archive"])
    tools = Path(database["bin"])
    started = time.time()
    stamp = datetime.datetime.fromtimestamp(started, datetime.timezone.utc)  # noqa: UP017 - hosts may have an older Python
    name = f"{stamp:%Y%m%dT%H%M%SZ}-{wanted['run'][-12:]}"
    mark = f"fireproof-{wanted['run']}-backup-"  # a run that dies removes what begins like this
    scratch = Path(tempfile.mkdtemp(prefix=mark, dir=database["restore-into"]))
    try:
        base, pieces = scratch / "base", scratch / "pieces"
        pieces.mkdir()
        command = [str(tools / "pg_basebackup"), "-d", database["backup-dsn"], "-D", str(base)]
        command += ["--format=plain", "--wal-method=stream", "--checkpoint=fast"]
        command += ["--manifest-checksums=SHA256", "--no-sync", "--no-password"]
        parent = newest(archive) if wanted.get("incremental") else None
        if parent:
            archive.do(
                "copy", f"@base/{parent}/backup_manifest", str(scratch), what="manifest to build on"
            )
            command += [f"--incremental={scratch / 'backup_manifest'}"]
        run(command, "pg_basebackup")
        verified = subprocess.run(
            [str(tools / "pg_verifybackup"), "--quiet", str(base)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        good = verified.returncode == 0
        words = last_words(verified.stderr) if not good else "pg_verifybackup found no difference"
        checks.must("backup-verified", good, "pg_verifybackup finds no difference", words)
        manifest = json.loads((base / "backup_manifest").read_text("utf-8"))
        size = sum(one["Size"] for one in manifest["Files"])
        pack(base, pieces)
        shutil.copyfile(base / "backup_manifest", pieces / "backup_manifest")
        files = {path.name: sha256(path) for path in sorted(pieces.iterdir())}
        archive.do("copy", str(pieces), f"@base/{name}", what="upload of the base backup")
        wal = manifest["WAL-Ranges"][-1]
        facts = {
            "name": name,
            "run": wanted["run"],
            "started_at": stamp.isoformat(),
            "took_s": round(time.time() - started, 3),
            "size_bytes": size,
            "manifest_sha256": files["backup_manifest"],
            "files": files,
            "timeline": wal["Timeline"],
            "start_lsn": wal["Start-LSN"],
            "end_lsn": wal["End-LSN"],
            "builds-upon": parent,
            "tool": run([str(tools / "pg_basebackup"), "--version"], "pg_basebackup").strip(),
        }
        (scratch / "backup.json").write_text(json.dumps(facts, indent=1), "utf-8")
        archive.do(
            "copyto",
            str(scratch / "backup.json"),
            f"@base/{name}/backup.json",
            what="upload of backup.json",
        )
        there = archive.read_json(f"base/{name}/backup.json", "reading the backup back")
        checks.must("backup-stored", there == facts, f"base/{name} is complete", "read back")
        return facts
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def back_up_with(tool: Tool, wanted: dict[str, Any], checks: Checks) -> dict[str, Any]:
    """A backup by another tool; what is known of it goes to the archive, apart from the backup."""
    if wanted.get("incremental"):
        raise Stop(f"incremental: expected 'no' with {tool.name}; it takes full backups here")
    archive = Archive(wanted["archive"])
    facts = {**tool.back_up(checks), "run": wanted["run"]}
    there = f"base-{tool.name}/{facts['name']}/backup.json"
    archive.write_json(there, facts, "upload of backup.json")
    back = archive.read_json(there, "reading the backup back")
    checks.must("backup-stored", back == facts, f"{there} is complete", "read back")
    return facts


def newest(archive: Archive) -> str:
    """Name of the newest complete backup, which an incremental one builds upon."""
    names = archive.do("lsf", "--dirs-only", "@base", what="listing the base backups").split()
    for name in sorted((name.rstrip("/") for name in names), reverse=True):
        try:
            archive.read_json(f"base/{name}/backup.json", "backup.json")
        except Stop:
            continue  # never completed
        return name
    raise Stop("there is no backup that an incremental one could build upon")


def pack(base: Path, pieces: Path) -> None:
    """A tar in pieces: a thousand small objects would cost a thousand requests."""
    with subprocess.Popen(
        ["tar", "-C", str(base), "-cf", "-", "."],
        stdout=subprocess.PIPE,
    ) as tar:
        split = ["split", "-b", PIECE, "-d", "-a", "4", "-", str(pieces / "base.tar.")]
        done = subprocess.run(split, stdin=tar.stdout, check=False)
    if tar.returncode != 0 or done.returncode != 0:
        raise Stop(f"packing: tar ended with {tar.returncode}, split with {done.returncode}")


def main() -> None:
    """Back up as standard input says; the backup's name is the step's value."""
    try:
        wanted = ask()
        checks = Checks(wanted["outputs"])
        tool = find_tool(wanted)
        facts = back_up_with(tool, wanted, checks) if tool else back_up(wanted, checks)
        outputs = Path(wanted["outputs"])
        (outputs / "backup.json").write_text(json.dumps(facts, indent=1), "utf-8")
        checks.save(facts["name"])
        print(f"{facts['name']}: {facts['size_bytes']} bytes in {facts['took_s']} s")
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
