"""The whole judgement of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fireproof.errors import FireproofError
from fireproof.judge.checks import find_checks, judge_checks
from fireproof.judge.detection import judge_detection
from fireproof.judge.growth import judge_growth
from fireproof.judge.levels import judge_levels, judge_requests
from fireproof.judge.loss import gather, judge_loss, tally
from fireproof.judge.outcome import Conclusion, conclude, find_dirt
from fireproof.judge.phases import phase_durations
from fireproof.judge.recovery import judge_recovery
from fireproof.judge.story import CannotTell, Story
from fireproof.judge.timeline import judge_timeline
from fireproof.judge.words import limit_text
from fireproof.model.drill import (
    AlertProbe,
    CanaryProbe,
    CheckObjective,
    DataLoss,
    Detection,
    Objective,
    RecoveryTime,
    ServiceProbe,
    Timeline,
)
from fireproof.model.judgement import CheckResult, Judgement, NotAsked, ObjectiveResult
from fireproof.model.load import Growth, Load, Requests, Slo
from fireproof.model.plan import Plan
from fireproof.model.record import Record
from fireproof.model.verdict import ExitCode, Outcome, Verdict


def judge_run(plan: Plan, records: Sequence[Record], samples: Mapping[str, bytes]) -> Judgement:
    """Judge a run from what was frozen before it, and what was recorded during it.

    Pure: the same plan, records and bytes give the same judgement. Never raises: what cannot be
    told is inconclusive and says why; so is a defect of the judge itself.

    Args:
        plan: limits and procedure, frozen before the start.
        records: of the journal, in order.
        samples: bytes of the sample files, by the names that the journal gives them.
    """
    try:
        return _judge(plan, Story(records, samples))
    except Exception as error:
        conclusion = _crashed(Story(records, samples), error)
        return Judgement(
            conclusion.outcome, int(conclusion.exit_code), conclusion.reason, (), (), {}
        )


def _judge(plan: Plan, story: Story) -> Judgement:
    checks = find_checks(story)
    objectives = tuple(
        _objective(name, objective, plan, story, checks) for name, objective in plan.asked().items()
    )
    not_asked = tuple(
        NotAsked(name, f"only asked in profile {' or '.join(objective.profiles)}")
        for name, objective in plan.drill.objectives.items()
        if not objective.asked_in(plan.profile)
    )
    conclusion = conclude(plan, story, objectives, checks)
    canary = {
        name: counts
        for name, probe in plan.drill.probes.items()
        if isinstance(probe, CanaryProbe) and (counts := _canary_counts(name, plan, story))
    }
    return Judgement(
        conclusion.outcome,
        int(conclusion.exit_code),
        conclusion.reason,
        objectives,
        checks,
        phase_durations(story),
        canary,
        not_asked,
    )


def _objective(
    name: str,
    objective: Objective,
    plan: Plan,
    story: Story,
    checks: Sequence[CheckResult],
) -> ObjectiveResult:
    """One objective; whatever stands in the way of judging it makes it inconclusive."""
    try:
        match objective:
            case CheckObjective():
                return judge_checks(name, objective, checks)
            case RecoveryTime():
                probe = plan.drill.probes.get(objective.from_)
                if not isinstance(probe, ServiceProbe):
                    raise CannotTell(f"{objective.from_} is not a probe that observes a service")
                return judge_recovery(name, objective, probe, story)
            case Detection():
                watch = plan.drill.probes.get(objective.from_)
                if not isinstance(watch, AlertProbe):
                    raise CannotTell(f"{objective.from_} is not a probe that waits for alerts")
                return judge_detection(name, objective, watch, story)
            case Timeline():
                return judge_timeline(name, objective, plan, story)
            case DataLoss():
                if not isinstance(plan.drill.probes.get(objective.from_), CanaryProbe):
                    raise CannotTell(f"{objective.from_} is not a canary")
                return judge_loss(name, objective, plan.run, story)
            case Slo():
                return judge_levels(name, objective, _load(objective.from_, plan), story)
            case Requests():
                return judge_requests(name, objective, _load(objective.from_, plan), story)
            case Growth():
                return judge_growth(name, objective, story)
    except (CannotTell, FireproofError) as error:
        reason = str(error)
    except Exception as error:
        reason = f"the judge crashed: {type(error).__name__}: {error}"
    return _unknown(name, objective, reason)


def _load(name: str, plan: Plan) -> Load:
    load = plan.drill.load.get(name)
    if load is None:
        raise CannotTell(f"{name} is not a load")
    return load


def _unknown(name: str, objective: Objective, reason: str) -> ObjectiveResult:
    match objective:
        case RecoveryTime():
            kind, limit = "rto", limit_text(objective.rto)
        case Detection():
            kind, limit = "mttd", limit_text(objective.mttd)
        case Timeline():
            kind, limit = "timeline", limit_text(objective.mitigation)
        case DataLoss():
            kind, limit = "rpo", limit_text(objective.rpo)
        case Slo():
            kind, limit = "slo", "every level"
        case Requests():
            kind, limit = "requests", f"failed {objective.requests.failed}"
        case Growth():
            kind, limit = "growth", objective.limit
        case _:
            kind, limit = "checks", "all hold"
    verdict = Verdict.INCONCLUSIVE
    return ObjectiveResult(name, kind, verdict, limit, (), reason, objective.controls)


def _canary_counts(name: str, plan: Plan, story: Story) -> Mapping[str, int]:
    """Classes of a canary's writes; empty when they cannot be told, which its objective says."""
    try:
        injected_ns = story.injection().after_ns
        return tally(plan.run, gather(name, plan.run, story), injected_ns).counts
    except Exception:
        return {}


def _crashed(story: Story, error: Exception) -> Conclusion:
    """A defect here must not hide a fault that still stands."""
    try:
        dirt = find_dirt(story)
    except Exception:
        dirt = None
    reason = f"the judge crashed: {type(error).__name__}: {error}"
    return dirt or Conclusion(Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE, reason)
