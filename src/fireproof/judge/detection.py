"""MTTD: from the harm to the alert, as our own webhook received it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from fireproof.errors import MalformedError
from fireproof.judge.samples import lines, number
from fireproof.judge.story import CannotTell, Span, Story
from fireproof.judge.words import compared, limit_text, many, seconds, span
from fireproof.model.drill import AlertProbe, Detection
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.sample import ALERT_HEADER
from fireproof.model.verdict import Verdict

_WHAT = "alert samples"
# An evaluator that paused this much longer than its period explains a late alert by itself.
_PAUSE_NS = 10**9


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert that came in, somewhere between two instants."""

    alert: str
    firing: bool
    at: Span


@dataclass(frozen=True, slots=True)
class AlertSamples:
    """Everything in an alert probe's file."""

    scrapes: tuple[Span, ...]
    failed_scrapes: int
    notices: tuple[Notice, ...]
    rows: int


def parse_alerts(data: bytes) -> AlertSamples:
    """Rows of an alert probe's file.

    Raises:
        MalformedError: at the first row that has another shape, or contradicts itself.
    """
    scrapes: list[Span] = []
    notices: list[Notice] = []
    failed = 0
    rows = lines(data, ALERT_HEADER, _WHAT)
    for index, row in enumerate(rows, start=2):
        where = f"{_WHAT}, line {index}"
        fields = row.split(",")
        if len(fields) != 5:
            raise MalformedError(f"{where}: expected 5 fields, got {len(fields)}")
        event, alert, before, after, detail = fields
        at = Span(number(before, where), number(after, where))
        if at.before_ns > at.after_ns:
            raise MalformedError(f"{where}: times out of order")
        if event == "scrape" and not alert and detail:
            scrapes.append(at)
            failed += detail != "ok"
        elif event == "received" and alert and detail in ("firing", "resolved"):
            notices.append(Notice(alert, detail == "firing", at))
        else:
            raise MalformedError(f"{where}: expected a scrape or an alert, got {row[:80]!r}")
    return AlertSamples(tuple(scrapes), failed, tuple(notices), len(rows))


def judge_detection(
    name: str, objective: Detection, probe: AlertProbe, story: Story
) -> ObjectiveResult:
    """Verdict on one detection time.

    Raises:
        CannotTell: when there is no measurement at all.
    """
    injection = story.injection()
    source = story.source(objective.from_)
    samples, first = find_alert(objective, probe, story)
    wanted = objective.alert or probe.alerts[0]
    evaluator = "the embedded evaluator" if probe.metrics else "an Alertmanager outside"
    limit = limit_text(objective.mttd)
    if first is None:
        watched = _watched_until(story) - injection.after_ns
        if watched < objective.mttd:
            raise CannotTell(f"{wanted} did not arrive, and the run ended before the limit {limit}")
        never = Interval(watched, math.inf)
        reason = f"{wanted} never arrived from {evaluator} within {span(never)}, limit {limit}"
        return _result(name, objective, Verdict.MISSED, never, reason, samples)
    mttd = Interval(
        max(0, first.before_ns - injection.after_ns), first.after_ns - injection.before_ns
    )
    verdict = judge_at_most(mttd, objective.mttd)
    reason = f"{wanted} arrived from {evaluator} after {span(mttd)}{compared(verdict, limit)}"
    pause = _longest_pause(samples, injection, first)
    if verdict is not Verdict.MET and pause > 2 * source.period_ns + _PAUSE_NS:
        verdict = Verdict.INCONCLUSIVE
        reason += f"; but its evaluator paused for {span(Interval(pause, pause))}"
    return _result(name, objective, verdict, mttd, reason, samples)


def find_alert(
    objective: Detection, probe: AlertProbe, story: Story
) -> tuple[AlertSamples, Span | None]:
    """The samples, and the receipt of the alert after the harm; None when it never came.

    Raises:
        CannotTell: when there is no measurement at all, or the alert was firing before.
    """
    injection = story.injection()
    source = story.source(objective.from_)
    try:
        samples = parse_alerts(source.data)
    except MalformedError as error:
        raise CannotTell(str(error)) from None
    if samples.rows != source.rows:
        raise CannotTell(f"{source.rows} rows were counted, {samples.rows} are there")
    wanted = objective.alert or probe.alerts[0]
    mine = [notice for notice in samples.notices if notice.alert == wanted]
    before = [notice for notice in mine if notice.at.before_ns < injection.before_ns]
    if before and before[-1].firing:
        raise CannotTell(f"{wanted} was firing before the harm, so it says nothing of it")
    after = [n.at for n in mine if n.firing and n.at.before_ns >= injection.before_ns]
    return samples, after[0] if after else None


def _watched_until(story: Story) -> int:
    """The last moment at which an alert would have been received, at least."""
    stops = [record.mono_ns for record in story.of("recovered", "abort", "revert-begin")]
    return min(stops, default=0)


def _longest_pause(samples: AlertSamples, injection: Span, first: Span) -> int:
    """Between two readings of the page, from the harm to the alert."""
    ends = [s.after_ns for s in samples.scrapes if s.after_ns >= injection.before_ns]
    marks = [injection.before_ns, *(end for end in ends if end <= first.after_ns), first.after_ns]
    return max((b - a for a, b in pairwise(marks)), default=0)


def _result(
    name: str,
    objective: Detection,
    verdict: Verdict,
    mttd: Interval,
    reason: str,
    samples: AlertSamples,
) -> ObjectiveResult:
    scrapes = many(len(samples.scrapes), "evaluation")
    note = f"{scrapes}, {samples.failed_scrapes} of a page that could not be read"
    measured = (Measure("mttd", "s", seconds(mttd), note),)
    return ObjectiveResult(
        name, "mttd", verdict, limit_text(objective.mttd), measured, reason, objective.controls
    )
