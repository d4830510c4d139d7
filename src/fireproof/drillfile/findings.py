"""Problems while they are being collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fireproof.errors import DrillFileError, Problem

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""

SHOWN = 60  # characters of a value; enough to find it, short enough for one line
_LONGEST, _LONGEST_PATH = 400, 120  # characters; a problem is one line that people read


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
        where = _line(".".join(str(part) for part in path), _LONGEST_PATH)
        self._found[Problem(self.file, at.line, at.column, where, _line(text, _LONGEST))] = None

    def __len__(self) -> int:
        return len(self._found)

    def problems(self) -> tuple[Problem, ...]:
        """Every problem, by line and column."""
        return tuple(sorted(self._found, key=lambda found: (found.line, found.column)))

    def raise_if_any(self) -> None:
        """Raise DrillFileError with all of them."""
        if self._found:
            raise DrillFileError(self.problems())


def shown(text: str) -> str:
    """A user's text, quoted and cut to a length fit for one line."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def _line(text: str, longest: int) -> str:
    """One line: keys and a plug-in's own words may hold anything."""
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    return text if text.isprintable() else " ".join(text.split())


def render(problems: Sequence[Problem]) -> str:
    """What a terminal shows: a line for each problem, then how many there are."""
    if not problems:
        return "no problems"
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([*map(str, problems), f"{count}; nothing was run."])
