"""Verdicts of objectives, outcomes of runs, and the exit codes they map to."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum


class Verdict(Enum):
    """Outcome of an objective. Order of declaration is the order of weight."""

    MET = "met"
    INCONCLUSIVE = "inconclusive"
    MISSED = "missed"


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """Heaviest verdict; INCONCLUSIVE for no verdicts, because nothing was shown."""
    weight = list(Verdict).index
    return max(verdicts, key=weight, default=Verdict.INCONCLUSIVE)


class Outcome(Enum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ABORTED = "aborted"
    ABORTED_DIRTY = "aborted-dirty"
    MISSED_RUN = "missed-run"


class ExitCode(IntEnum):
    """Exit codes; 128+n means ended by signal n, cleanly undone."""

    OK = 0
    MISSED = 1
    USAGE = 2
    STOPPED_BEFORE_FAULT = 3
    DIRTY = 4
    EVIDENCE = 5
    INCONCLUSIVE = 6
    ABORTED = 7
    INTERNAL = 70


_PRECEDENCE = (4, 5, 70, "signal", 7, 1, 6, 3, 2, 0)


def heaviest_exit(codes: Iterable[int]) -> int:
    """Exit code of several drills together: 4 > 5 > 70 > signal > 7 > 1 > 6 > 3 > 2 > 0.

    No codes at all is INCONCLUSIVE: nothing ran, so nothing was shown. Unknown codes count as 70.
    """

    def weight(code: int) -> int:
        known = "signal" if code > 128 else code
        return _PRECEDENCE.index(known if known in _PRECEDENCE else 70)

    return min(codes, key=weight, default=int(ExitCode.INCONCLUSIVE))
