"""From alert to mitigation: five instants of one run, in their order, on one clock."""

from __future__ import annotations

import math

from fireproof.judge.detection import find_alert
from fireproof.judge.recovery import judge_recovery
from fireproof.judge.story import CannotTell, Span, Story
from fireproof.judge.words import limit_text, seconds
from fireproof.model.drill import AlertProbe, Detection, RecoveryTime, ServiceProbe, Timeline
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.plan import Plan
from fireproof.model.verdict import Verdict


def judge_timeline(name: str, objective: Timeline, plan: Plan, story: Story) -> ObjectiveResult:
    """Verdict on the time from the alert to the mitigation, and on the order of all five.

    Raises:
        CannotTell: when one of the instants is not known.
    """
    injection, alert = story.injection(), _alert(objective, plan, story)
    acknowledged, who = _acknowledged(story)
    mitigated = _mitigated(story)
    back = _back(objective, plan, story)

    def since(span: Span, start: Span) -> Interval:
        lo, hi = span.before_ns - start.after_ns, span.after_ns - start.before_ns
        return seconds(Interval(max(0, lo), max(0, hi)))

    took = since(mitigated, alert)
    instants = {
        "injected": since(injection, injection),
        "alert": since(alert, injection),
        "acknowledged": since(acknowledged, injection),
        "mitigated": since(mitigated, injection),
        "recovered": back,
    }
    verdict = judge_at_most(took, objective.mitigation / 1e9)
    wrong = _out_of_order(alert, acknowledged, instants)
    told = ", ".join(f"{what} {_plain(at)}" for what, at in instants.items())
    limit = limit_text(objective.mitigation)
    reason = f"{told}; {_plain(took)} from alert to mitigation, limit {limit}"
    if wrong:
        verdict, reason = Verdict.MISSED, f"{wrong}: {told}"
    notes = {"injected": "the instants count from here", "acknowledged": who}
    measured = [Measure("alert-to-mitigation", "s", took)]
    measured.append(Measure("alert-to-acknowledgement", "s", since(acknowledged, alert)))
    measured += [Measure(what, "s", at, notes.get(what, "")) for what, at in instants.items()]
    return ObjectiveResult(
        name, "timeline", verdict, limit, tuple(measured), reason, objective.controls
    )


def _alert(objective: Timeline, plan: Plan, story: Story) -> Span:
    detection = plan.drill.objectives.get(objective.detection)
    probe = plan.drill.probes.get(detection.from_) if isinstance(detection, Detection) else None
    if not isinstance(detection, Detection) or not isinstance(probe, AlertProbe):
        raise CannotTell(f"{objective.detection} does not wait for an alert")
    _, first = find_alert(detection, probe, story)
    if first is None:
        raise CannotTell("the alert never arrived, so nothing followed from it")
    return first


def _acknowledged(story: Story) -> tuple[Span, str]:
    """When somebody took it on: a person in a manual step, or else the runner that began to act."""
    for step in story.steps("recover"):
        if step.data["kind"] == "manual" and step.data["ok"] is True:
            at_ns = step.data["after_ns"]
            return Span(at_ns, at_ns), f"in the manual step {step.data['label']!r}"
    began = story.phase_start_ns("recover")
    if began is None:
        raise CannotTell("nobody began to act")
    return Span(began, began), "by the runner, which waits for the alert and then acts"


def _mitigated(story: Story) -> Span:
    steps = story.steps("recover")
    if not steps or any(step.data["ok"] is not True for step in steps):
        raise CannotTell("the steps of recovery were not carried out")
    end = max(step.data["after_ns"] for step in steps)
    return Span(end, end)


def _back(objective: Timeline, plan: Plan, story: Story) -> Interval:
    """When the service was back, in seconds since the injection."""
    recovery = plan.drill.objectives.get(objective.recovery)
    probe = plan.drill.probes.get(recovery.from_) if isinstance(recovery, RecoveryTime) else None
    if not isinstance(recovery, RecoveryTime) or not isinstance(probe, ServiceProbe):
        raise CannotTell(f"{objective.recovery} does not time a recovery")
    found = judge_recovery(objective.recovery, recovery, probe, story)
    for measure in found.measured:
        if measure.name == "rto.injection" and measure.interval is not None:
            if math.isinf(measure.interval.hi):
                break
            return measure.interval
    raise CannotTell(f"the service was not seen to return: {found.reason}")


def _out_of_order(alert: Span, acknowledged: Span, instants: dict[str, Interval]) -> str:
    if acknowledged.after_ns < alert.before_ns:
        return "somebody acted before the alert"
    if instants["recovered"].hi < instants["acknowledged"].lo:
        return "the service was back before anybody acted"
    return ""


def _plain(at: Interval) -> str:
    """Seconds, as narrow as they are known to a hundredth."""
    lo, hi = f"{at.lo:.2f}", f"{at.hi:.2f}"
    return f"{hi} s" if lo == hi else f"{lo}\N{EN DASH}{hi} s"
