"""Silent damage in a data file: found by the pages' own checksums, with the server stopped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, last_words, obey
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


ACTS = {"detect": detect, "judge": judge}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
