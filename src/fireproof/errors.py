"""What can go wrong, by whose move comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file somebody wrote."""

    file: str
    line: int
    column: int
    path: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.text}" if self.path else f"{where}: {self.text}"


class FireproofError(Exception):
    """Base of everything this package raises on purpose; its text is fit for a terminal."""


class UsageError(FireproofError):
    """The call was wrong; nothing ran."""


class DrillFileError(FireproofError):
    """Yours to fix; carries every problem found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EnvironmentRefusal(FireproofError):
    """The environment does not allow it, or is not ready; the system is untouched."""


class StepError(FireproofError):
    """The system refused."""


class UndoError(FireproofError):
    """A fault may still be present; carries the command to run by hand."""

    def __init__(self, text: str, command: str = "") -> None:
        self.command = command
        super().__init__(text)


class JournalError(FireproofError):
    """The journal cannot be written, or is not ours to write."""


class EvidenceError(FireproofError):
    """Evidence could not be made or does not hold."""


class MalformedError(EvidenceError):
    """Not what it claims to be."""


class VerificationError(EvidenceError):
    """Well formed and wrong."""
