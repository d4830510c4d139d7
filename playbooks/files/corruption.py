"""Silent damage in a data file: found by the pages' own checksums, with the server stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, last_words, obey, run
from deployment import ask_http

_BAD = re.compile(r'checksum verification failed in file "([^"]+)", block (\d+)')


def detect(wanted: dict[str, Any], checks: Checks) -> None:
    """Stop unless the damaged file is named: who restores without knowing why restores the damage.

    The value is what the service said of itself with its database stopped.
    """
    database, api = wanted["components"]["ledger-db"], wanted["components"]["ledger-api"]
    said = {path: ask_http(api["url"], "GET", path)[0] for path in ("/healthz", "/readyz")}
    checks.save(json.dumps(said))
    argv = [str(Path(database["bin"]) / "pg_checksums"), "--check"]
    argv += ["-D", database["data-directory"]]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if "Blocks scanned" not in done.stdout:
        raise Stop(f"pg_checksums could not look: {last_words(done.stderr)}")
    found = _BAD.findall(done.stderr)
    files = sorted({file for file, _ in found})
    ours = [file for file in files if file.endswith(f"/{wanted['heap']}")]
    seen = ", ".join(f"{file} block {block}" for file, block in found) or "no bad page"
    seen = seen.replace(f"{database['data-directory']}/", "")
    good = len(ours) == len(files) == 1
    checks.must("found-by-checksum", good, f"bad pages in {wanted['heap']} alone", seen)


def judge(wanted: dict[str, Any], checks: Checks) -> None:
    """What the service had said while its database was stopped, and says now."""
    said = wanted["said"]
    said = json.loads(said) if isinstance(said, str) else said
    checks.add("alive-without-database", said["/healthz"] == 200, "200", f"{said['/healthz']}")
    checks.add("not-ready-without-database", said["/readyz"] == 503, "503", f"{said['/readyz']}")


def put_back(wanted: dict[str, Any], _: Checks) -> None:
    """The recorded data directory in its place, and served from; safe to be said again."""
    database = wanted["components"]["ledger-db"]
    data, aside = Path(database["data-directory"]), _aside(database)
    argv = [database["ctl"], "start", "ledger-db", "within=60"]
    if aside.exists():
        run([database["ctl"], "stop", "ledger-db", "mode=immediate"], "stopping the database")
        os.rename(aside, data)
    if data.exists():
        argv.append(f"data-directory={data}")
    run(argv, "starting the database")


def nothing_aside(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when something lies aside or the database does not run."""
    database = wanted["components"]["ledger-db"]
    aside = _aside(database)
    checks.must("nothing-aside", not aside.exists(), f"no {aside.name}", f"{aside} is there")
    pid = Path(database["control"]["pid-file"])
    runs = pid.exists() and Path("/proc", pid.read_text("ascii").split()[0]).exists()
    checks.must("database-runs", runs, "ledger-db runs", "it does not")


def discard(wanted: dict[str, Any], _: Checks) -> None:
    """The damaged files go, under a name by which a killed run's leavings are found."""
    database = wanted["components"]["ledger-db"]
    doomed = Path(database["restore-into"], f"fireproof-{wanted['run']}-corrupt")
    os.rename(_aside(database), doomed)
    shutil.rmtree(doomed)


def _aside(database: dict[str, Any]) -> Path:
    return Path(database["data-directory"] + ".corrupt")


ACTS = {
    "detect": detect,
    "judge": judge,
    "put-back": put_back,
    "nothing-aside": nothing_aside,
    "discard": discard,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
