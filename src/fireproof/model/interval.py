"""A measured quantity: somewhere in [lo, hi], because every act takes time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fireproof.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed interval in one unit; ``hi`` is ``math.inf`` when the end was never seen."""

    lo: float
    hi: float

    def __post_init__(self) -> None:
        if math.isnan(self.lo) or math.isnan(self.hi) or self.lo > self.hi:
            raise ValueError(f"not an interval: [{self.lo}, {self.hi}]")

    @property
    def width(self) -> float:
        return self.hi - self.lo

    def __contains__(self, value: float) -> bool:
        return self.lo <= value <= self.hi


def judge_at_most(measured: Interval | None, limit: float) -> Verdict:
    """MET only if all of it is within the limit, MISSED only if all of it is beyond."""
    if measured is None:
        return Verdict.INCONCLUSIVE
    if measured.hi <= limit:
        return Verdict.MET
    return Verdict.MISSED if measured.lo > limit else Verdict.INCONCLUSIVE
