"""Rows of the test of the drills, ``tests/defects/rows/<drill>.yaml``: a defect, what it turns red.

Each file is a list of ``{defect: NAME, missed: OBJECTIVE}``; a drill without a file is a mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parents[2]
ROWS = HERE / "tests" / "defects" / "rows"
SEEN = HERE / ".defects" / "rows.jsonl"  # one line a run of a row
HEALTHY = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a drill: with a defect exactly one objective is missed, without it none."""

    drill: str
    defect: str = HEALTHY
    missed: str | None = None

    def __str__(self) -> str:
        return f"{self.drill}/{self.defect}"


def drills() -> list[str]:
    """Every drill that the project ships."""
    return sorted(path.stem for path in (HERE / "drills").glob("*.yaml"))


def read_rows(folder: Path = ROWS) -> list[Row]:
    """The healthy row of every drill that has a file, then its defects.

    Raises:
        ValueError: a row that could not fail, or that stands twice.
    """
    found: list[Row] = []
    for path in sorted(folder.glob("*.yaml")):
        found.append(Row(path.stem))
        for given in yaml.safe_load(path.read_text("utf-8")) or []:
            if set(given) != {"defect", "missed"} or not all(map(str, given.values())):
                raise ValueError(f"{path}: expected defect and missed, got {given}")
            row = Row(path.stem, given["defect"], given["missed"])
            if row in found:
                raise ValueError(f"{path}: {row} stands twice")
            found.append(row)
    return found


def shard(rows: list[Row], which: str) -> list[Row]:
    """``all``, or the part ``i/n`` (from 0) of the rows."""
    if which == "all":
        return rows
    index, _, parts = which.partition("/")
    return rows[int(index) % int(parts) :: int(parts)]
