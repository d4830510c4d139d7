"""The locustfiles that drills name, tried out before anything is broken."""

from __future__ import annotations

from pathlib import Path

from fireproof.drillfile import Loaded
from fireproof.errors import Problem


def locustfile_problems(loaded: Loaded, project: Path) -> list[Problem]:
    """What keeps a drill's locustfiles from running, at the place where it is wrong."""
    if not loaded.drill.load:
        return []
    from fireproof.load import check_locustfile

    found = []
    for name, load in loaded.drill.load.items():
        complaint = check_locustfile(load, project)
        if complaint is None:
            continue
        path = ("load", name, "locustfile")
        at = loaded.marks.at(*path)
        if complaint.file:  # the locustfile itself says where
            text = f"{complaint.text}; load {name!r} of {loaded.marks.file} needs it"
            found.append(Problem(complaint.file, complaint.line, 1, "", text))
        else:
            text = complaint.text
            found.append(Problem(loaded.marks.file, at.line, at.column, ".".join(path), text))
    return found
