"""The readiness checklist: 161 numbered things that drills and gates may show."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class ChecklistRow(NamedTuple):
    """A row by its number; ``section`` is the heading it stands under."""

    number: int
    title: str
    section: str


def load_checklist() -> tuple[ChecklistRow, ...]:
    """All rows, in order."""
    text = files("fireproof.catalog").joinpath("checklist.txt").read_text("utf-8")
    rows: list[ChecklistRow] = []
    section = ""
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "#":
            section = rest
        else:
            rows.append(ChecklistRow(int(word), rest, section))
    return tuple(rows)
