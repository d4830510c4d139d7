"""What the judge found: every number, recomputable from plan, journal and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fireproof.model.interval import Interval
from fireproof.model.verdict import Outcome, Verdict

JUDGEMENT_FORMAT = "fireproof-judgement/v1"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured quantity with its unit; interval None means it could not be told."""

    name: str
    unit: str
    interval: Interval | None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Bounds as decimal text so that every reader gets the same digits; null for unbounded."""

        def bound(value: float) -> str | None:
            return None if math.isinf(value) else f"{value:.9f}".rstrip("0").rstrip(".")

        both = self.interval and {"lo": bound(self.interval.lo), "hi": bound(self.interval.hi)}
        return {"name": self.name, "unit": self.unit, "interval": both, "note": self.note}


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """An objective, its limit and what was measured against it."""

    name: str
    kind: str  # rto | rpo | mttd | timeline | checks | slo | requests | growth
    verdict: Verdict
    limit: str
    measured: tuple[Measure, ...]
    reason: str  # one line, plain words
    controls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "verdict": self.verdict.value,
            "limit": self.limit,
            "measured": [measure.to_json() for measure in self.measured],
            "reason": self.reason,
            "controls": list(self.controls),
        }


@dataclass(frozen=True, slots=True)
class NotAsked:
    """An objective that the run's profile does not ask: neither met nor missed, and not shown."""

    name: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check with what was expected and what was observed."""

    name: str
    verdict: Verdict
    expected: str
    observed: str

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "expected": self.expected,
            "observed": self.observed,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything concluded from one run."""

    outcome: Outcome
    exit_code: int
    reason: str  # one sentence: why this outcome
    objectives: tuple[ObjectiveResult, ...]
    checks: tuple[CheckResult, ...]
    phases: Mapping[str, Measure]  # seconds in each phase entered
    canary: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # probe: class: count
    not_asked: tuple[NotAsked, ...] = ()

    def to_json(self) -> dict[str, Any]:
        unasked = {"not_asked": [one.to_json() for one in self.not_asked]}
        return {
            "format": JUDGEMENT_FORMAT,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "objectives": [objective.to_json() for objective in self.objectives],
            "checks": [check.to_json() for check in self.checks],
            "phases": {name: measure.to_json() for name, measure in self.phases.items()},
            "canary": {probe: dict(counts) for probe, counts in self.canary.items()},
            **(unasked if self.not_asked else {}),  # older bundles have no such list
        }
