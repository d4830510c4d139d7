"""Problems while they are being collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fireproof.errors import DrillFileError, Problem

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""


class At(NamedTuple):
    """Where something stands, both counted from 1; columns count characters."""

    line: int
    column: int


class Findings:
    """Collects the problems of one file; gives them back in the order of the file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[Problem, None] = {}  # a dict keeps order and drops repeats

    def add(self, at: At, path: Sequence[str | int], text: str) -> None:
        where = ".".join(str(part) for part in path)
        self._found[Problem(self.file, at.line, at.column, where, text)] = None

    def __len__(self) -> int:
        return len(self._found)

    def problems(self) -> tuple[Problem, ...]:
        """Every problem, by line and column."""
        return tuple(sorted(self._found, key=lambda found: (found.line, found.column)))

    def raise_if_any(self) -> None:
        """Raise DrillFileError with all of them."""
        if self._found:
            raise DrillFileError(self.problems())


def render(problems: Sequence[Problem]) -> str:
    """What a terminal shows: a line for each problem, then how many there are."""
    if not problems:
        return "no problems"
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([*map(str, problems), f"{count}; nothing was run."])
