"""What a game day came to: an outcome and a code for each drill, on one timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fireproof.model.judgement import ObjectiveResult
from fireproof.model.verdict import Outcome, Verdict

GAMEDAY_JUDGEMENT_FORMAT = "fireproof-gameday-judgement/v1"


@dataclass(frozen=True, slots=True)
class MemberResult:
    """One drill: how it ended and which bundle shows it, or why it was not run."""

    name: str
    drill: str
    run: str
    group: int
    verdict: Verdict
    outcome: str | None  # None: not run, or it never came to an end
    exit_code: int | None
    identity: str | None  # of its bundle
    started_s: str | None  # since the game day's first record
    ended_s: str | None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "drill": self.drill,
            "run": self.run,
            "group": self.group,
            "verdict": self.verdict.value,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "identity": self.identity,
            "started_s": self.started_s,
            "ended_s": self.ended_s,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class GameDayJudgement:
    """Everything concluded from one game day."""

    outcome: Outcome
    exit_code: int
    reason: str
    drills: tuple[MemberResult, ...]
    objectives: tuple[ObjectiveResult, ...] = ()  # of the day itself

    def to_json(self) -> dict[str, Any]:
        own = {"objectives": [objective.to_json() for objective in self.objectives]}
        return {
            "format": GAMEDAY_JUDGEMENT_FORMAT,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "drills": [drill.to_json() for drill in self.drills],
            **(own if self.objectives else {}),  # older bundles have no such list
        }
