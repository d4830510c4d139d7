"""A locustfile, tried out in a child before anything is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fireproof.model.load import Load
from fireproof.processes import scrubbed

_IMPORT_S = 30.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a locustfile cannot be run, and where it says so; no file: nowhere in the project."""

    text: str
    file: str = ""
    line: int = 1


def check_locustfile(load: Load, project: Path) -> Complaint | None:
    """Import the file in a process of its own; None when it and its scenarios can be run."""
    if not (project / load.locustfile).is_file():
        return Complaint(f"there is no {load.locustfile} below the project")
    task = {"role": "check", "name": "check", "parent": os.getpid(), "project": str(project)}
    task |= {"locustfile": load.locustfile, "options": dict(load.options)}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "fireproof.load.child"],
            input=json.dumps(task | {"scenarios": dict(load.scenarios)}).encode() + b"\n",
            capture_output=True,
            env=scrubbed(),
            timeout=_IMPORT_S,
        )
    except subprocess.TimeoutExpired:
        return Complaint(f"its import was not over after {_IMPORT_S:.0f} s", load.locustfile)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return Complaint(f"its import ended the process: {''.join(last) or 'without a word'}")
    if "error" not in answer:
        return None
    if "No module named 'locust'" in answer["error"] or "gevent" in answer["error"]:
        return Complaint(f"{answer['error']}; install fireproof[load]")
    return Complaint(str(answer["error"]), str(answer["file"]), int(answer["line"]))
