"""One JSON line a kill, or a row of defects, with the commit and the machine it was seen on."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]
RECORDS = HERE / ".crash" / "kills.jsonl"


@cache
def place() -> dict[str, Any]:
    """Commit and machine; a change that is not committed is said."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=HERE, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git(
        "status", "--porcelain", "--untracked-files=no", "--", "src", "playbooks", "drills"
    )
    return {
        "commit": git("rev-parse", "HEAD")[:12] + (" and changes" if changed else ""),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, "
        f"Python {platform.python_version()}",
    }


def write_line(facts: dict[str, Any], path: Path = RECORDS) -> None:
    """Append; lines of processes side by side do not mix."""
    told = {"on": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"} | place() | facts
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


def read_lines(path: Path = RECORDS) -> list[dict[str, Any]]:
    """Every line on record."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
