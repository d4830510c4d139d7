"""The locustfiles that drills name, tried out before anything is broken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fireproof.drillfile import Loaded
from fireproof.errors import Problem

if TYPE_CHECKING:
    from fireproof.load.checking import Complaint


def locustfile_problems(drills: Iterable[Loaded], project: Path) -> list[Problem]:
    """What keeps these drills' locustfiles from running, at the place where it is wrong."""
    found: list[Problem] = []
    tried: dict[str, Complaint | None] = {}  # an import takes a second, and drills share files
    for loaded in drills:
        for name, load in loaded.drill.load.items():
            from fireproof.load import check_locustfile

            asked = f"{load.locustfile} {sorted(load.scenarios)} {sorted(load.options.items())}"
            if asked not in tried:
                tried[asked] = check_locustfile(load, project)
            if complaint := tried[asked]:
                found.append(_problem(loaded, name, complaint))
    return found


def _problem(loaded: Loaded, name: str, complaint: Complaint) -> Problem:
    if complaint.file:  # the locustfile itself says where
        text = f"{complaint.text}; load {name!r} of {loaded.marks.file} needs it"
        return Problem(complaint.file, complaint.line, 1, "", text)
    path = ("load", name, "locustfile")
    at = loaded.marks.at(*path)
    return Problem(loaded.marks.file, at.line, at.column, ".".join(path), complaint.text)
