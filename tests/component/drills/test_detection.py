"""The detection matrix: every named damage turns the shipped drill red, and is named by a check.

One row runs in ``make test-component``. ``make test-detection`` runs all and writes what it saw, a
row each, to ``docs/reference/detection-matrix.md``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.lab_project import HERE, LabProject
from support.scenario import Ran

pytestmark = [pytest.mark.component, pytest.mark.detection, pytest.mark.full]

COLUMNS = {
    "digest of the day": ["backup-intact"],
    "pg_verifybackup": ["pg_verifybackup"],
    "target": ["target-reached", "promoted"],
    "pg_checksums": ["pg_checksums"],
    "pg_amcheck": ["pg_amcheck"],
    "digest": ["same-digest:accounts", "same-digest:events"],
}


@dataclass(frozen=True)
class Row:
    """A damage, what it is in words, and a check that must notice it."""

    name: str
    words: str
    noticed_by: str


ROWS = (
    Row("none", "nothing", ""),
    Row("wal-segment-missing", "one WAL segment is missing", "target-reached"),
    Row("restore-command-1", "restore_command ends with 1 midway", "target-reached"),
    Row("restore-command-255", "restore_command ends with 255 midway", "target-reached"),
    Row("wal-bit", "a bit flipped in a WAL segment", "target-reached"),
    Row("wal-segment-swapped", "a WAL segment holds another one's bytes", "target-reached"),
    Row("wal-segment-empty", "a WAL segment is empty", "target-reached"),
    Row("base-bit", "a bit flipped in the archived base", "backup-intact"),
    Row("base-piece-missing", "a piece of the archived base is missing", "backup-intact"),
    *(
        Row(f"archived-{name}", f"{words}; the archive's digests were remade", "pg_verifybackup")
        for name, words in (
            ("heap-bit", "a bit flipped in a table"),
            ("index-bit", "a bit flipped in an index"),
            ("table-zeroed", "a table is zeroed"),
            ("table-truncated", "a table is truncated"),
        )
    ),
    Row("early-heap-bit", "a bit flipped in a table before the backup", "pg_checksums"),
    Row("early-index-bit", "a bit flipped in an index before the backup", "pg_checksums"),
    Row("early-table-zeroed", "a table was zeroed before the backup", "same-digest:accounts"),
    Row("early-table-truncated", "a table was truncated before the backup", "same-digest:accounts"),
    Row(
        "sealed-heap-text-bit",
        "a letter changed in a row before the backup, under a valid page checksum",
        "same-digest:accounts",
    ),
    Row(
        "sealed-heap-pointer-bit",
        "a line pointer changed before the backup, under a valid page checksum",
        "pg_amcheck",
    ),
    Row(
        "sealed-index-key-bit",
        "an index key changed before the backup, under a valid page checksum",
        "pg_amcheck",
    ),
    Row("older-target", "the restore aims at an older point", "same-digest:events"),
)
ALL = os.environ.get("FIREPROOF_DETECTION") == "all"
ALWAYS = {"wal-bit"}


@dataclass
class Matrix:
    """What was seen."""

    found: dict[str, Ran] = field(default_factory=dict)


@pytest.fixture(scope="module")
def matrix(project: LabProject) -> Iterator[Matrix]:
    seen = Matrix()
    yield seen
    if len(seen.found) == len(ROWS):
        record = project.lab.environment()["record"]
        text = as_page(seen, record)
        (HERE / "docs" / "reference" / "detection-matrix.md").write_text(text, "utf-8")


def drill_with(project: LabProject, row: Row) -> dict[str, Any]:
    """The shipped drill, with the damage done after the backup was taken and confirmed."""
    drill = project.drill()
    steps = drill["baseline"]["steps"]
    if row.name == "older-target":
        drill["baseline"]["for"] = "12s"
        wait = {
            "sql": "SELECT (pg_sleep(2) IS NOT NULL)::text",
            "on": "ledger-db",
            "title": "until a point behind the backup is made",
        }
        point = {
            "sql": "SELECT max(name) FROM restore_points",
            "on": "ledger-db",
            "save": "older",
            "title": "remember that point",
        }
        steps[1:1] = [wait, point, wait]
        drill["recover"][0]["vars"] = {"target": "{saved.older}"}
    else:
        python = [sys.executable, "-P", "-m", "proving_ground", "damage"]
        steps.append({"process": [*python, str(project.lab.root), row.name], "timeout": "1m"})
    return drill


def judgement(ran: Ran) -> dict[str, Any]:
    assert ran.result is not None, ran.stderr
    found: dict[str, Any] = ran.result["judgement"]
    return found


def red(ran: Ran) -> list[str]:
    """Checks and objectives over samples that were missed, in the order they were made."""
    found = judgement(ran)
    names = [one["name"] for one in found["checks"] if one["verdict"] == "missed"]
    names += [
        one["name"]
        for one in found["objectives"]
        if one["verdict"] == "missed" and one["name"] == "data-loss"
    ]
    return list(names)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if ALL or row.name in ALWAYS], ids=lambda row: str(row.name)
)
def test_the_drill_names_the_damage(row: Row, project: LabProject, matrix: Matrix) -> None:
    """A backup that nobody can restore is found out in the drill, or on the day it is needed."""
    project.up()  # archives again after a drill that passed
    try:
        ran = project.run(drill_with(project, row))
        if ran.outcome == "aborted":  # before the fault: a slow machine dropped a canary's write
            ran = project.run(drill_with(project, row))
    finally:
        mend = [sys.executable, "-P", "-m", "proving_ground", "damage", str(project.lab.root)]
        subprocess.run([*mend, "none"], check=True, capture_output=True)

    if row.noticed_by:
        assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
        assert row.noticed_by in red(ran), ran.stderr
        assert row.noticed_by in ran.stderr
    else:
        assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
        assert red(ran) == []
    assert project.verify(ran.bundle) == 0
    matrix.found[row.name] = ran


def as_page(seen: Matrix, record: dict[str, str]) -> str:
    """The page, from the runs alone."""
    head = ["damage", "drill", *COLUMNS, "canary", "noticed by"]
    lines = [
        "# The detection matrix",
        "",
        "Written by `make test-detection` from real runs of `drills/backup-restore.yaml`; do not",
        "edit. Each row is one drill whose newest backup, or the WAL behind it, was damaged by",
        "`python -m proving_ground damage` after it had been taken and confirmed. The restore had",
        "an explicit target. **RED**: the check noticed. -: never made, because an earlier one had",
        "stopped the restore. ?: nothing could be told.",
        "",
        f"{record.get('postgres', 'Postgres')}, {record.get('rclone', '')}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    notes = []
    for row in ROWS:
        ran = seen.found[row.name]
        found = judgement(ran)
        checks = {one["name"]: one for one in found["checks"]}
        cells = [row.words, ran.outcome]
        for names in COLUMNS.values():
            made = {checks[name]["verdict"] for name in names if name in checks}
            shown = "**RED**" if "missed" in made else "?" if "inconclusive" in made else "ok"
            cells.append(shown if made else "-")
        canary = next(one for one in found["objectives"] if one["name"] == "data-loss")
        restored = "promoted" in checks and checks["promoted"]["verdict"] == "met"
        verdict = {"met": "ok", "missed": "**RED**"}.get(canary["verdict"], "?")
        cells.append(verdict if restored else "-")
        cells.append(", ".join(f"`{name}`" for name in red(ran)) or "nobody, rightly")
        lines.append("| " + " | ".join(cells) + " |")
        if row.noticed_by:
            one = checks[row.noticed_by]
            notes.append(
                f"- {row.words}: `{row.noticed_by}` expected {one['expected']}; "
                f"got {one['observed']}"
            )
    return "\n".join([*lines, "", "## What the checks said", "", *notes, ""])
