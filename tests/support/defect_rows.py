"""Rows of the test of the drills, ``tests/defects/rows/<drill>.yaml``: a defect, what it turns red.

Each file is a list of ``{defect: NAME, missed: OBJECTIVE}``, or of ``{defect: NAME, aborts:
CONDITION}`` for harm that must end the drill; a drill without a file is a mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parents[2]
ROWS = HERE / "tests" / "defects" / "rows"
SEEN = HERE / ".defects" / "rows.jsonl"  # one line a run of a row
HEALTHY = "none"

WITHOUT_ROW = {  # seen by a test of the part alone, and why not by a drill
    "cache-without-tenant": "no drill has two tenants behind one cache",
    "certificate-never-renewed": "cert-rotation's undo renews, too: it ends with 3",
    "checkpoints-stop": "not tried in a drill yet",
    "delivers-again": "no sender in a drill sends one notice twice to one provider",
    "drops-requests-on-shutdown": "drain misses two objectives, rightly",
    "empty-keys-while-refreshing": "jwks-outage misses two objectives, rightly",
    "engine-answers-500": "an outage of its own, which no drill makes",
    "engine-slow": "an outage of its own, which no drill makes",
    "hides-version": "rollback ends at its look at v2 and misses time-to-good, too",
    "leak-token-in-log": "no drill looks for a token in a log",
    "last-event-waits": "the drills' events do not end, so that none is the last",
    "no-security-headers": "no drill asks for headers",
    "one-bucket-for-all": "rate-limit misses four objectives, rightly",
    "proofs-unchecked": "only beside an engine that is wrong, too",
    "publish-late": "key-rotation waits before it signs with the new key",
    "trusts-what-is-stored": "no drill starts an engine on a tampered log",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a drill: with a defect exactly one objective is missed, without it none; or an
    abort condition ends it.
    """

    drill: str
    defect: str = HEALTHY
    missed: str | None = None
    aborts: str | None = None

    def wanted(self) -> tuple[int, list[str]]:
        """Exit code, and the objectives missed."""
        if self.aborts:
            return 7, []
        return (1, [self.missed]) if self.missed else (0, [])

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
            keys = set(given) in ({"defect", "missed"}, {"defect", "aborts"})
            if not keys or not all(map(str, given.values())):
                raise ValueError(f"{path}: expected defect and missed or aborts, got {given}")
            row = Row(path.stem, given["defect"], given.get("missed"), given.get("aborts"))
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
