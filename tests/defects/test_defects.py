"""The test of the drills: healthy → 0; with a defect → 1, and exactly one objective missed.

``make test-defects`` runs every row and writes ``docs/reference/defects.md`` from what it saw.
``FIREPROOF_DEFECTS=i/n`` runs a part.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proving_ground.ledger.defects import DEFECTS
from support.defect_rows import HEALTHY, HERE, Row, read_rows, shard

pytestmark = [pytest.mark.component, pytest.mark.full]
WHICH = os.environ.get("FIREPROOF_DEFECTS") or "all"
ROWS = shard(read_rows(), WHICH)


@dataclass(frozen=True, slots=True)
class Seen:
    """How one row's run ended."""

    code: int
    objectives: dict[str, dict[str, Any]]
    said: str

    def missed(self) -> list[str]:
        return [name for name, one in self.objectives.items() if one["verdict"] == "missed"]


@dataclass
class Matrix:
    """What was seen so far."""

    seen: dict[Row, Seen] = field(default_factory=dict)


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    one = Matrix()
    yield one
    if WHICH == "all" and len(one.seen) == len(ROWS):
        page = HERE / "docs" / "reference" / "defects.md"
        page.write_text(as_page(one), "utf-8")


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fp-defects-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    if (folder / "lab").exists():  # left up, because a fault may still stand: not on this machine
        argv = [sys.executable, "-m", "fireproof", "lab", "down"]
        environ = os.environ | {"FIREPROOF_LAB_DIR": str(folder / "lab")}
        subprocess.run(argv, cwd=HERE, env=environ, check=False, timeout=120)
    shutil.rmtree(folder, ignore_errors=True)


def run(row: Row, place: Path) -> Seen:
    """The drill in its smoke profile, in a lab of its own that has the defect."""
    environ = {key: value for key, value in os.environ.items() if "FIREPROOF_" not in key}
    environ |= {
        "FIREPROOF_LAB_DIR": str(place / "lab"),
        "FIREPROOF_LEASES": str(place / "leases"),
        "FIREPROOF_EVIDENCE": str(place / "evidence"),
    }
    if row.defect != HEALTHY:
        environ["FIREPROOF_LAB_DEFECTS"] = row.defect
    words = ["run", f"drills/{row.drill}.yaml", "--with-lab", "--profile", "smoke"]
    done = subprocess.run(
        [sys.executable, "-m", "fireproof", *words],
        cwd=HERE,
        env=environ,
        capture_output=True,
        text=True,
        timeout=280,
    )
    results = sorted((place / "evidence").glob("runs/*/result.json"))
    objectives: dict[str, dict[str, Any]] = {}
    if results:
        judgement = json.loads(results[-1].read_text("utf-8"))["judgement"]
        objectives = {one["name"]: one for one in judgement["objectives"]}
    assert not (place / "lab").exists(), f"the lab is still there\n{done.stderr}"
    return Seen(done.returncode, objectives, done.stderr)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_drill_is_red_for_the_right_reason(row: Row, place: Path, matrix: Matrix) -> None:
    """A drill that stays green is theatre; one that turns red for another reason misleads."""
    seen = run(row, place)
    matrix.seen[row] = seen

    if row.missed is None:
        assert seen.code == 0, seen.said
    else:
        assert seen.missed() == [row.missed], seen.said
        assert seen.code == 1, seen.said


def as_page(matrix: Matrix) -> str:
    """The matrix drill x defect x objective."""
    lines = [
        "# The test of the drills",
        "",
        "Written by `make test-defects` from real runs of each drill in its smoke profile, each in",
        "a fresh lab; do not edit. A defect is switched on in a process of the proving ground by",
        "`--defect NAME`; the drill must then end with 1, and miss exactly one objective.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} cores; {len(matrix.seen)} runs.",
        "",
        "| drill | defect | what it breaks | exit | objective missed | why |",
        "|---|---|---|---|---|---|",
    ]
    for row, seen in matrix.seen.items():
        defect = DEFECTS.get(row.defect)
        missed = ", ".join(f"`{name}`" for name in seen.missed()) or "none"
        why = "; ".join(seen.objectives[name]["reason"] for name in seen.missed())
        cells = [
            f"`{row.drill}`",
            f"`{row.defect}`" if defect else "healthy",
            defect.breaks if defect else "nothing",
            str(seen.code),
            missed,
            " ".join(why.split()).replace("|", "\\|")[:160],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
