"""Writes docs/reference/defects.md from the runs on record; exits 1 unless all are as expected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from proving_ground.ledger.defects import DEFECTS
from support.crash_record import read_lines
from support.defect_rows import HEALTHY, HERE, SEEN, Row, read_rows

PAGE = HERE / "docs" / "reference" / "defects.md"
HEAD = """# The test of the drills

Written by `make defects-page` from what `make test-defects` saw; not to be edited. Each row is a
real run of a drill in its smoke profile, in a fresh lab. A defect is switched on in a part of the
proving ground by its name; the drill must then end with 1 and miss exactly the objective that the
row names, or end with 7 by the abort condition that it names. Without a defect it must end with 0.
"""
TABLE = """
| drill | defect | what it breaks | exit | objective missed | why | |
|---|---|---|---|---|---|---|
"""


def as_page(rows: list[Row], lines: list[dict[str, Any]]) -> tuple[str, int]:
    """The page, and how many rows are not as expected or were never run. The last try counts."""
    tries: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        tries.setdefault((line["drill"], line["defect"]), []).append(line)
    table, held, defects = "", 0, sum(row.defect != HEALTHY for row in rows)
    never = sum((row.drill, row.defect) not in tries for row in rows)
    for row in rows:
        seen = tries.get((row.drill, row.defect), [])
        held += bool(seen and seen[-1]["ok"])
        table += _line(row, seen)
    places = sorted({(line["commit"], line["machine"], line["on"]) for line in lines})
    said = "".join(f"- {commit} on {machine}, {day}\n" for commit, machine, day in places)
    text = f"**{held} of {len(rows)} rows as expected**, {never} not run: {defects} rows with a "
    text += f"defect, {len(rows) - defects} without.\n"
    return f"{HEAD}\n{text}\nSeen at:\n\n{said}{TABLE}{table}", len(rows) - held


def _line(row: Row, seen: list[dict[str, Any]]) -> str:
    healthy = row.defect == HEALTHY
    breaks = "nothing" if healthy else DEFECTS[row.defect].breaks
    cells = [f"`{row.drill}`", "healthy" if healthy else f"`{row.defect}`", breaks]
    if not seen:
        return "| " + " | ".join([*cells, "", "", "", "**not run**"]) + " |\n"
    last = seen[-1]
    why = " ".join(last["why"].split()).replace("|", "\\|")
    missed = ", ".join(f"`{name}`" for name in last["missed"]) or "none"
    expected = row.missed or (f"to abort at {row.aborts}" if row.aborts else "none")
    note = "as expected" if last["ok"] else f"**not as expected**: {expected}"
    failed = sum(not line["ok"] for line in seen[:-1])
    note += f"; {failed} earlier tries were not" if failed else ""
    why = why[:159] + "…" if len(why) > 160 else why
    return "| " + " | ".join([*cells, str(last["code"]), missed, why, note]) + " |\n"


def main() -> int:
    """Write the page."""
    records = Path(sys.argv[1]) if len(sys.argv) > 1 else SEEN
    if not records.exists():
        print(f"{records}: nothing is on record; run: make test-defects", file=sys.stderr)
        return 2
    text, wrong = as_page(read_rows(), read_lines(records))
    PAGE.write_text(text, "utf-8")
    print(f"{PAGE.relative_to(HERE)}: {wrong} rows are not as expected, or were not run")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
