"""Problems while they are being collected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path as FilePath
from typing import NamedTuple

from fireproof.errors import DrillFileError, Problem

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""

MOST = 100  # problems of one file that are shown; whoever has more starts with these
_KEPT = 10 * MOST  # found out of order; enough for the first ones to be the first
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
        self._notes: dict[At, str] = {}

    def explain(self, at: At, note: str) -> None:
        """End every later problem at this place with a note: where its value came from."""
        self._notes[at] = self._notes.get(at, "") + note

    def add(self, at: At, path: Sequence[str | int], text: str) -> None:
        if self.full:
            return
        where = _line(".".join(str(part) for part in path), _LONGEST_PATH)
        text += self._notes.get(at, "")
        self._found[Problem(self.file, at.line, at.column, where, _line(text, _LONGEST))] = None

    def __len__(self) -> int:
        return len(self._found)

    @property
    def full(self) -> bool:
        """Whether more would not be shown; looking for them would only take time."""
        return len(self._found) >= _KEPT

    def problems(self) -> tuple[Problem, ...]:
        """The problems, by line and column; of very many the first, and a word about the rest."""
        found = sorted(self._found, key=lambda found: (found.line, found.column))
        if len(found) <= MOST:
            return tuple(found)
        last = found[MOST]
        text = f"more problems from here on; these are the first {MOST}"
        return (*found[:MOST], Problem(self.file, last.line, last.column, "", text))

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


def render(problems: Sequence[Problem], *, carets: bool = False) -> str:
    """What a terminal shows: a line for each problem, then how many there are.

    Args:
        problems: in the order in which they are shown.
        carets: the line of the file below each, with a mark under what is wrong.
    """
    if not problems:
        return "no problems"
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines: list[str] = []
    for problem in problems:
        lines += [str(problem), *(marked(problem) if carets else ())]
    return "\n".join([*lines, f"{count}; nothing was run."])


_WIDTH = 100  # characters of a line that are shown; 40 columns wrap it, and it stays readable
_WORD = re.compile(r"""[\w./:{}+-]+|"(?:[^"\\]|\\.)*"?|'[^']*'?|.""")


def marked(problem: Problem) -> list[str]:
    """The line in the file and a mark under what is wrong; nothing when it cannot be shown."""
    line = _line_of(problem.file, problem.line)
    if line is None or not line.strip() or problem.column > len(line) + 1:
        return []
    start = max(0, problem.column - 1 - _WIDTH // 2)
    shown = line[start : start + _WIDTH]
    at = problem.column - 1 - start
    if not shown.replace("\t", " ").isprintable():
        return []
    word = _WORD.match(shown, at)
    length = max(1, len(word[0].rstrip(":")) if word else 1)
    before = "".join("\t" if c == "\t" else " " * _columns(c) for c in shown[:at])
    under = sum(map(_columns, shown[at : at + length])) or 1
    number = f"{problem.line} | "
    return [f"  {number}{shown}", f"  {' ' * (len(number) - 2)}| {before}{'^' * under}"]


def _columns(character: str) -> int:
    """Columns that a character takes in a terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@lru_cache(maxsize=8)
def _lines(file: str) -> tuple[str, ...]:
    try:
        path = FilePath(file)
        if not path.is_file():  # a pipe would block
            return ()
        with path.open("rb") as source:
            text = source.read(1 << 20).decode("utf-8")
    except (OSError, ValueError):
        return ()
    return tuple(re.split("\r\n|\r|\n", text))


def _line_of(file: str, number: int) -> str | None:
    lines = _lines(file)
    return lines[number - 1] if 0 < number <= len(lines) else None


def render_github(problems: Sequence[Problem]) -> str:
    """Workflow commands that GitHub shows at the lines of a change.

    Source: "Workflow commands for GitHub Actions", setting an error message; ``%``, line breaks
    and, in properties, ``:`` and ``,`` are written as percent codes.
    """

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def value(text: str) -> str:
        return data(text).replace(":", "%3A").replace(",", "%2C")

    lines = []
    for one in problems:
        place = f"file={value(one.file)},line={one.line},col={one.column},title=fireproof check"
        lines.append(
            f"::error {place}::{data(f'{one.path}: {one.text}' if one.path else one.text)}"
        )
    return "\n".join(lines)
