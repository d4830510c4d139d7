"""Checks: each record one comparison; objectives over them by name."""

from __future__ import annotations

from collections.abc import Sequence

from fireproof.judge.story import Story
from fireproof.judge.words import many
from fireproof.model.drill import CheckObjective
from fireproof.model.judgement import CheckResult, ObjectiveResult
from fireproof.model.verdict import Verdict, combine


def verdict_of(ok: object) -> Verdict:
    """True is met, False is missed; everything else is unknown, which is never met."""
    if ok is True:
        return Verdict.MET
    return Verdict.MISSED if ok is False else Verdict.INCONCLUSIVE


def find_checks(story: Story) -> tuple[CheckResult, ...]:
    """Every check that was made, in order."""
    return tuple(
        CheckResult(
            str(record.data["name"]),
            verdict_of(record.data["ok"]),
            str(record.data["expected"]),
            str(record.data["observed"]),
        )
        for record in story.checks()
    )


def judge_checks(
    name: str, objective: CheckObjective, checks: Sequence[CheckResult]
) -> ObjectiveResult:
    """All named checks hold, every time they were made; one that was never made is unknown."""
    missed: list[str] = []
    unknown: list[str] = []
    verdicts: list[Verdict] = []
    for wanted in objective.checks:
        made = [check for check in checks if check.name == wanted]
        verdict = combine(check.verdict for check in made)
        verdicts.append(verdict)
        worst = next((check for check in made if check.verdict is verdict), None)
        if verdict is Verdict.MISSED and worst:
            missed.append(f"{wanted}: expected {worst.expected}, got {worst.observed}")
        elif verdict is Verdict.INCONCLUSIVE:
            said = f"could not be told: {worst.observed}" if worst else "was never made"
            unknown.append(f"check {wanted} {said}")
    total = len(objective.checks)
    reason = "; ".join(missed or unknown) or f"{many(total, 'check')} of {total} held"
    return ObjectiveResult(
        name, "checks", combine(verdicts), "all hold", (), reason, objective.controls
    )
