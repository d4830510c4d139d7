"""RTO: how long clients went without, on three clocks, each an interval that holds the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from fireproof.errors import MalformedError
from fireproof.judge.outage import Outage, find_outage
from fireproof.judge.samples import ProbeSamples, parse_probe
from fireproof.judge.story import CannotTell, Source, Span, Story
from fireproof.judge.words import compared, limit_text, many, seconds, span
from fireproof.model.drill import HttpProbe, RecoveryTime, ServiceProbe
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.verdict import Verdict

MAX_LATENESS_NS = 10 * 10**6  # p99; beyond it the prober measures its own machine
CLOCKS = ("injection", "outage", "verified")

_SAID = {
    "injection": "clients waited {}",
    "outage": "the outage lasted {}",
    "verified": "verified content took {}",
}


@dataclass(frozen=True, slots=True)
class _Reading:
    """One clock: nanoseconds, or why there is no number."""

    interval: Interval | None
    note: str = ""


def judge_recovery(
    name: str, objective: RecoveryTime, probe: ServiceProbe, story: Story
) -> ObjectiveResult:
    """Verdict on one recovery time; the objective's own clock comes first and decides.

    Raises:
        CannotTell: when there is no measurement at all.
    """
    limit = limit_text(objective.rto)
    injection = story.injection()
    declared = story.recovery()
    failed = declared is not None and declared.data["ok"] is False
    readings: dict[str, _Reading] = {}
    extra: list[Measure] = []
    doubt = ""
    outage: Outage | None = None
    try:
        source = story.source(objective.from_)
        samples = parse_probe(source.data, http=isinstance(probe, HttpProbe))
        lateness = lateness_p99_ns(samples)
        extra.append(_measure("probe-lateness-p99", Interval(lateness, lateness)))
        doubt = why_invalid(samples, source) or _contradiction(samples, probe)
        outage = find_outage(
            samples.asked,
            injection=injection,
            hold_ns=objective.hold,
            recovered_ns=declared.mono_ns if declared else None,
            undo_ns=story.undo_ns(),
        )
    except (CannotTell, MalformedError) as error:
        doubt = doubt or str(error)
    verified = _verified(story)
    if outage is not None:
        readings = _readings(outage, injection, verified)
        extra = _split(story, injection, outage, verified) + extra
    for clock in CLOCKS:
        readings.setdefault(clock, _Reading(None, doubt))

    own = readings[objective.clock]
    verdict, reason = _verdict(objective, own, doubt)
    if failed:
        detail = str(declared.data["detail"]) if declared else ""
        own = _Reading(Interval(objective.rto, math.inf), "recovery failed: [limit, never)")
        verdict = Verdict.MISSED
        reason = f"recovery failed: {detail or 'no detail given'}; limit {limit}"
    elif verdict is Verdict.MET and (declared is None or declared.data["ok"] is not True):
        verdict, reason = Verdict.INCONCLUSIVE, "recovery was never declared, so none is claimed"
    elif verdict is Verdict.MET and outage and outage.strays:
        reason += f"; {many(outage.strays, 'bad answer')} later on"
    readings[objective.clock] = own
    order = sorted(CLOCKS, key=lambda clock: clock != objective.clock)
    clocks = [_measure(f"rto.{c}", readings[c].interval, readings[c].note) for c in order]
    return ObjectiveResult(
        name, "rto", verdict, limit, (*clocks, *extra), reason, objective.controls
    )


def lateness_p99_ns(samples: ProbeSamples) -> int:
    """99th percentile, nearest rank, of how much later than due questions were asked."""
    late = sorted(one.sent_ns - one.due_ns for one in samples.asked)
    if not late:
        raise CannotTell("no samples: the prober asked nothing")
    return late[math.ceil(0.99 * len(late)) - 1]


def why_invalid(samples: ProbeSamples, source: Source) -> str:
    """Why the measurement says nothing about the system; empty when it is sound."""
    if samples.rows != source.rows:
        return f"samples are missing: {samples.rows} rows of {source.rows}"
    if samples.unsent:
        slots = many(len(samples.unsent), "slot was", "slots were")
        return f"measurement invalid: {slots} never asked"
    dues = sorted(one.due_ns for one in samples.asked)
    if any(after - before != source.period_ns for before, after in pairwise(dues)):
        return "measurement invalid: slots of the schedule have no row"
    late = lateness_p99_ns(samples)
    if late > MAX_LATENESS_NS:
        return f"measurement invalid: the prober was late, p99 {late / 1e6:.1f} ms of at most 10 ms"
    return ""


def _contradiction(samples: ProbeSamples, probe: ServiceProbe) -> str:
    """A row that calls good what the plan does not."""
    within = probe.good.within
    status = probe.good.status if isinstance(probe, HttpProbe) else None
    for one in samples.asked:
        late = within is not None and one.done_ns - one.sent_ns > within
        if one.good and (one.status != status or late):
            return f"samples contradict the plan: the answer due at {one.due_ns} was not good"
    return ""


def _verdict(objective: RecoveryTime, own: _Reading, doubt: str) -> tuple[Verdict, str]:
    limit = limit_text(objective.rto)
    if doubt or own.interval is None:
        return Verdict.INCONCLUSIVE, doubt or own.note
    verdict = judge_at_most(own.interval, objective.rto)
    said = _SAID[objective.clock].format(span(own.interval)) + compared(verdict, limit)
    if math.isinf(own.interval.hi):
        said = f"{_SAID[objective.clock].format(span(own.interval))} ({own.note}), limit {limit}"
    return verdict, said


def _readings(
    outage: Outage, injection: Span, verified: tuple[Span | None, str]
) -> dict[str, _Reading]:
    up_lo, up_hi = outage.up_lo_ns, outage.up_hi_ns
    end = math.inf if up_hi is None else up_hi

    def since(lo_ns: int, hi_ns: float, start: Span, note: str) -> _Reading:
        lo = max(0, lo_ns - start.after_ns)
        return _Reading(Interval(lo, max(lo, hi_ns - start.before_ns)), note)

    shown, why_not = verified
    if shown is None:
        proof = _Reading(None, why_not)
    elif why_not:  # verification ran and did not pass: not before it ended, perhaps never
        proof = since(max(up_lo, shown.before_ns), math.inf, injection, why_not)
    else:
        proof = since(max(up_lo, shown.before_ns), max(end, shown.after_ns), injection, outage.note)
    return {
        "injection": since(up_lo, end, injection, outage.note),
        "outage": since(up_lo, end, outage.down, outage.note),
        "verified": proof,
    }


def _verified(story: Story) -> tuple[Span | None, str]:
    """When the last verification ended, and why it proves nothing; ("" when it passed)."""
    steps, checks = story.steps("verify"), story.checks("verify")
    ends = [r for r in (*steps, *checks) if r.data["before_ns"] is not None]
    if not ends:
        return None, "nothing was verified"
    last = max(ends, key=lambda r: (r.data["after_ns"], r.data["before_ns"]))
    at = Span(last.data["before_ns"], last.data["after_ns"])
    if not checks:
        return None, "nothing was checked in the verify phase"
    wrong = [r for r in (*steps, *checks) if r.data["ok"] is False]
    if wrong:
        return at, "verification did not pass"
    if any(r.data["ok"] is not True for r in (*steps, *checks)):
        return None, "verification could not be told"
    return at, ""


def _split(
    story: Story, injection: Span, outage: Outage, verified: tuple[Span | None, str]
) -> list[Measure]:
    """Detect, act, restore and verify: where the time went."""
    measures: list[Measure] = []
    began = story.phase_start_ns("recover")
    if began is None:
        return measures
    detect = Interval(max(0, began - injection.after_ns), max(0, began - injection.before_ns))
    measures.append(_measure("split.detect", detect, "from injection to the first act"))
    acts = story.steps("recover")
    acted = max((record.data["after_ns"] for record in acts), default=began)
    act = float(max(0, acted - began))
    measures.append(_measure("split.act", Interval(act, act), "the steps of recovery"))
    if outage.up_hi_ns is None:
        return measures
    lo, hi = outage.up_lo_ns, outage.up_hi_ns
    restore = Interval(max(0, lo - acted), max(0, hi - acted))
    measures.append(_measure("split.restore", restore, "from the last act to good answers"))
    shown, why_not = verified
    if shown is not None and not why_not:
        more = Interval(max(0, shown.before_ns - hi), max(0, shown.after_ns - lo))
        measures.append(_measure("split.verify", more, "from good answers to verified content"))
    return measures


def _measure(name: str, ns: Interval | None, note: str = "") -> Measure:
    return Measure(name, "s", None if ns is None else seconds(ns), note)
