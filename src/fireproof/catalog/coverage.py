"""Which checklist rows the objectives and checks of verified runs show, and with what value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fireproof.model.drill import CheckObjective, Timeline
from fireproof.model.gameday import GameDayPlan
from fireproof.model.load import Requests
from fireproof.model.plan import Plan
from fireproof.model.quantity import format_seconds
from fireproof.model.verdict import Verdict, combine

# Rows that ask where it was rehearsed: elsewhere a run shows that the drill works, and no more.
PLACES = {24: ("production-like", "production")}


@dataclass(frozen=True, slots=True)
class Shown:
    """A run whose bundle has been verified: its plan and the judgement in it."""

    plan: Plan
    judgement: Mapping[str, Any]
    identity: str


@dataclass(frozen=True, slots=True)
class ShownDay:
    """A game day whose bundle, and those of its drills, have been verified."""

    plan: GameDayPlan
    judgement: Mapping[str, Any]
    identity: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One objective or check that covers a row, with the value that was observed."""

    row: int
    drill: str
    what: str  # the objective, and the check where a single one covers the row
    verdict: Verdict
    observed: str
    run: str
    profile: str


def covered(runs: Iterable[Shown | ShownDay]) -> dict[int, tuple[Proof, ...]]:
    """Proofs by row. Without an observed value there is none, whatever the verdict."""
    found: dict[int, list[Proof]] = {}
    for run in runs:
        for proof in _proofs(run) if isinstance(run, Shown) else _proofs_of_day(run):
            if proof.row not in PLACES or _place(run) in PLACES[proof.row]:
                found.setdefault(proof.row, []).append(proof)
    return {row: tuple(proofs) for row, proofs in sorted(found.items())}


def _place(run: Shown | ShownDay) -> str:
    """Class of the environment that it was run on."""
    if isinstance(run, ShownDay):
        return run.plan.environment.class_
    return run.plan.environment.environment_class


def _proofs(run: Shown) -> Iterator[Proof]:
    results = {result["name"]: result for result in run.judgement["objectives"]}
    for name, objective in run.plan.drill.objectives.items():
        result, covers = results.get(name), objective.covers
        if result is None:
            continue
        if isinstance(covers, Mapping):
            for check, rows in covers.items():
                seen = _seen([check], run.judgement)
                if not seen:
                    continue
                verdict = combine(verdict for verdict, _ in seen)
                observed = next(text for one, text in seen if one is verdict)
                for row in rows:
                    yield _proof(run, row, f"{name}: {check}", verdict, observed)
            continue
        for row in covers:
            observed = _observed(objective, result, run.judgement)
            if observed:
                yield _proof(run, row, name, Verdict(result["verdict"]), observed)


def _proofs_of_day(day: ShownDay) -> Iterator[Proof]:
    """What the day shows of itself; its drills are runs of their own."""
    gameday = day.plan.gameday
    covers = {
        "budget": gameday.budget.covers if gameday.budget else (),
        "apart": gameday.apart.covers if gameday.apart else (),
    }
    for result in day.judgement.get("objectives", ()):
        for row in covers[result["kind"]]:
            yield Proof(
                row,
                gameday.gameday,
                result["name"],
                Verdict(result["verdict"]),
                result["reason"],
                day.plan.run,
                day.plan.members[0].profile,
            )


def _proof(run: Shown, row: int, what: str, verdict: Verdict, observed: str) -> Proof:
    plan = run.plan
    return Proof(row, plan.drill.drill, what, verdict, observed, plan.run, plan.profile)


def _observed(objective: object, result: Mapping[str, Any], judgement: Mapping[str, Any]) -> str:
    """What was seen of an objective; empty when nothing was measured, or a check not made."""
    if isinstance(objective, CheckObjective):
        made = all(_seen([check], judgement) for check in objective.checks)
        return str(result["reason"]) if made else ""
    if isinstance(objective, Timeline | Requests):  # one number of it would not be the row's
        return str(result["reason"]) if result["measured"] else ""
    measured = [measure for measure in result["measured"] if measure["interval"] is not None]
    return _interval(measured[0]) if measured else ""


def _seen(checks: Iterable[str], judgement: Mapping[str, Any]) -> list[tuple[Verdict, str]]:
    """Verdict and observed value of each time one of these checks was made."""
    names = set(checks)
    return [
        (Verdict(check["verdict"]), str(check["observed"]))
        for check in judgement["checks"]
        if check["name"] in names and str(check["observed"]).strip()
    ]


def _interval(measure: Mapping[str, Any]) -> str:
    def bound(text: str | None) -> str:
        if text is None:
            return "unbounded"
        in_s = measure["unit"] == "s"
        return format_seconds(float(text)) if in_s else f"{text} {measure['unit']}"

    low, high = (bound(measure["interval"][end]) for end in ("lo", "hi"))
    return f"{measure['name']} {low}" + (f" to {high}" if low != high else "")
