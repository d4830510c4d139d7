"""What a game day promises of itself: how long it takes, and that it is not the long one."""

from __future__ import annotations

from collections.abc import Sequence

from fireproof.judge.words import limit_text
from fireproof.model.gameday import Apart, Budget, GameDayPlan, Other
from fireproof.model.gameday_judgement import MemberResult
from fireproof.model.interval import Interval
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.record import Record
from fireproof.model.verdict import Verdict

BUDGET, APART = "gameday.budget", "gameday.apart"
"""Names that no drill can have: both stand in the signed statement."""


def judge_promises(
    plan: GameDayPlan, records: Sequence[Record], drills: Sequence[MemberResult]
) -> tuple[ObjectiveResult, ...]:
    """Those that its file makes."""
    found = []
    if plan.gameday.budget is not None:
        found.append(_budget(plan.gameday.budget, records, drills))
    if plan.gameday.apart is not None:
        found.append(_apart(plan.gameday.apart, plan))
    return tuple(found)


def _budget(
    budget: Budget, records: Sequence[Record], drills: Sequence[MemberResult]
) -> ObjectiveResult:
    """From the first record to the end of the last drill; making the first lab lies before it."""
    ends = [r.data["after_ns"] for r in records if r.kind == "drill-end"]
    known = [end for end in ends if isinstance(end, int)]
    whole = len(known) == len(drills)
    last_ns = max(known) if whole and known else records[-1].mono_ns
    took_s = (last_ns - records[0].mono_ns) / 1e9
    limit = limit_text(budget.within)
    if took_s > budget.within / 1e9:
        verdict = Verdict.MISSED
    else:
        verdict = Verdict.MET if whole else Verdict.INCONCLUSIVE
    said = f"{len(known)} of {len(drills)} drills took {took_s:.1f} s, limit {limit}"
    said += "" if whole else "; a day cut short says nothing of its length"
    measured = (Measure("took", "s", Interval(took_s, took_s)),)
    return ObjectiveResult(BUDGET, "budget", verdict, limit, measured, said)


def _apart(apart: Apart, plan: GameDayPlan) -> ObjectiveResult:
    """Other profile and other schedule than the day with the long tests, as both files say."""
    other = plan.others.get(apart.from_)
    limit = f"other profile and schedule than {apart.from_}"
    if other is None:
        text = f"nothing is known of {apart.from_}"
        return ObjectiveResult(APART, "apart", Verdict.INCONCLUSIVE, limit, (), text)
    here = Other(profile=plan.gameday.profile, schedule=plan.gameday.schedule)
    alike = [member for member in plan.members if member.profile == here.profile]
    said = (
        f"{len(alike)} of {len(plan.members)} drills {_described(here)}; "
        f"{apart.from_} {_described(other)}"
    )
    own = here.schedule is not None and other.schedule is not None
    differ = own and _when(here) != _when(other) and here.profile != other.profile
    verdict = Verdict.MET if differ and len(alike) == len(plan.members) else Verdict.MISSED
    return ObjectiveResult(APART, "apart", verdict, limit, (), said)


def _when(day: Other) -> tuple[str, str] | None:
    return (day.schedule.cron, day.schedule.timezone) if day.schedule else None


def _described(day: Other) -> str:
    when = f"by `{day.schedule.cron}`" if day.schedule else "by no schedule"
    return f"{day.profile} {when}"
