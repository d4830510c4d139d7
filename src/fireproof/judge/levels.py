"""Service levels from a load's samples: percentiles, errors, achieved rate and concurrency."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fireproof.judge.requests import (
    LoadSamples,
    Sent,
    in_window,
    nearest_rank,
    of_scenario,
    read_load,
)
from fireproof.judge.story import CannotTell, Story
from fireproof.judge.words import limit_text, many
from fireproof.model.interval import Interval
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.load import (
    PERCENTILES,
    Limits,
    Load,
    Observed,
    Requests,
    Slo,
    fewest,
)
from fireproof.model.quantity import format_rate, format_share
from fireproof.model.verdict import Verdict, combine


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit held against the samples."""

    verdict: Verdict
    measure: Measure
    text: str  # how it stands, for people


@dataclass(frozen=True, slots=True)
class Window:
    """The requests that an objective speaks of."""

    kept: Sent  # without those that were shed
    shed: int
    everything: LoadSamples

    def __len__(self) -> int:
        return len(self.kept)


def look(objective: Observed, load: Load, story: Story) -> Window:
    """The requests of an objective's load, scenario and part of the drill.

    Raises:
        CannotTell: when there are none to speak of.
        MalformedError: when a sample file is not what it claims to be.
    """
    import_numpy()
    samples = read_load(objective.from_, load, story)
    sent = in_window(of_scenario(samples.sent, objective.scenario), objective, story)
    shed = _any_of(sent.status, objective.shed)
    return Window(sent.where(~shed), int(shed.sum()), samples)


def import_numpy() -> Any:
    """NumPy, or what to install.

    Raises:
        CannotTell: when it is not there.
    """
    try:
        import numpy
    except ImportError:
        raise CannotTell(
            "percentiles need numpy; to compute them: pip install 'fireproof[samples]'"
        ) from None
    return numpy


def _any_of(status: Any, wanted: tuple[int, ...]) -> Any:
    return import_numpy().isin(status, wanted)


def judge_levels(name: str, objective: Slo, load: Load, story: Story) -> ObjectiveResult:
    """Every limit of a service level; the heaviest verdict decides.

    Raises:
        CannotTell: when there is no measurement at all.
        MalformedError: when a sample file is not what it claims to be.
    """
    window = look(objective, load, story)
    limits = objective.slo
    findings = [*_percentiles(limits, window), *_errors(limits, window)]
    findings += [*_floors(limits, window), *_length(objective, window)]
    return _result(name, "slo", _limits_text(objective), findings, objective, window)


def judge_requests(name: str, objective: Requests, load: Load, story: Story) -> ObjectiveResult:
    """How many failed of how many, and the longest time without a good answer.

    Raises:
        CannotTell: when there is no measurement at all.
        MalformedError: when a sample file is not what it claims to be.
    """
    window = look(objective, load, story)
    counted = objective.requests
    failed = int((~window.kept.good).sum())
    total = len(window)
    text = f"{failed} of {many(total, 'request')} failed"
    if failed > counted.failed:
        verdict = Verdict.MISSED
    elif total < counted.at_least:
        verdict, text = Verdict.INCONCLUSIVE, f"{text}; at least {counted.at_least} were wanted"
    else:
        verdict = Verdict.MET
    findings = [Finding(verdict, _count("failed", failed), text)]
    findings.append(Finding(verdict, _count("requests", total), ""))
    gap_ns = longest_gap_ns(window.kept)
    measure = Measure("gap", "s", None if gap_ns is None else _exactly(gap_ns / 1e9))
    if counted.gap is None:
        findings.append(Finding(Verdict.MET, measure, ""))
    elif gap_ns is None:
        findings.append(Finding(Verdict.MISSED, measure, "no request was answered well"))
    else:
        word = Verdict.MET if gap_ns <= counted.gap else Verdict.MISSED
        text = f"longest gap between good answers {_ms(gap_ns / 1000)}"
        findings.append(Finding(word, measure, f"{text}, limit {limit_text(counted.gap)}"))
    limit = f"failed {counted.failed} of at least {counted.at_least}"
    limit += f", gap {limit_text(counted.gap)}" if counted.gap is not None else ""
    return _result(name, "requests", limit, findings, objective, window)


def longest_gap_ns(sent: Sent) -> int | None:
    """Longest time without a good answer, from the first due time to the last; None without any."""
    numpy = import_numpy()
    if not sent.good.any():
        return None
    done = numpy.sort((sent.due_ns + sent.latency_us * 1000)[sent.good])
    edges = numpy.concatenate(([sent.due_ns[0]], done))
    last = max(int(done[-1]), int(sent.due_ns[-1]))
    return max(int(numpy.diff(edges).max()), last - int(done[-1]))


def _percentiles(limits: Limits, window: Window) -> Iterator[Finding]:
    """A request that failed is slower than any that did not: a fast error flatters nobody."""
    numpy = import_numpy()
    sent, total = window.kept, len(window)
    slow = numpy.iinfo(numpy.int64).max
    values = numpy.where(sent.good, sent.latency_us, slow)
    given = limits.percentiles()
    for name, per_cent in PERCENTILES.items():
        limit_ns, needed = given[name], fewest(per_cent / 100)
        if not total:
            continue
        value = nearest_rank(values, per_cent)
        note = "" if total >= needed else f"{total} requests; {needed} are needed"
        interval = Interval(value / 1e6, value / 1e6) if value != slow else None
        if interval is None and limit_ns is not None:  # as with a recovery that failed
            interval = Interval(limit_ns / 1e9, math.inf)
        measure = Measure(name, "s", interval, note or ("failed" if value == slow else ""))
        if limit_ns is None:
            yield Finding(Verdict.MET, measure, "")
            continue
        limit = limit_text(limit_ns)
        said = f"{name} {_ms(value) if value != slow else 'among the failed'}, limit {limit}"
        # However many more there had been, and all of them fast: these alone are too many.
        over = int((values * 1.0 > limit_ns / 1000).sum())
        if over > (1 - per_cent / 100) * max(total, needed) + 1e-9:
            yield Finding(Verdict.MISSED, measure, said)
        elif total < needed:
            yield Finding(Verdict.INCONCLUSIVE, measure, f"{name} from {note}")
        else:
            # Ranks are whole: exactly at the edge, nearest rank says which side it is.
            late = value * 1000 > limit_ns
            yield Finding(Verdict.MISSED if late else Verdict.MET, measure, said)


def _errors(limits: Limits, window: Window) -> Iterator[Finding]:
    failed, total = int((~window.kept.good).sum()), len(window)
    if not total:
        return
    share = failed / total * 100
    measure = Measure("errors", "%", _exactly(share))
    if limits.errors is None:
        yield Finding(Verdict.MET, measure, "")
        return
    needed = fewest(1 - limits.errors / 100)
    said = f"{failed} of {total} failed ({share:.3g} %), limit {format_share(limits.errors)}"
    if failed > limits.errors / 100 * max(total, needed):
        yield Finding(Verdict.MISSED, measure, said)
    elif total < needed:
        text = f"errors from {total} requests; {needed} are needed"
        yield Finding(Verdict.INCONCLUSIVE, measure, text)
    else:
        yield Finding(Verdict.MET, measure, said)


def _floors(limits: Limits, window: Window) -> Iterator[Finding]:
    """What the load really was: limits on a load that never came prove nothing."""
    sent = window.kept
    if len(sent) < 2:
        return
    span_s = (int(sent.due_ns[-1]) - int(sent.due_ns[0])) / 1e9
    rate = int(sent.good.sum()) / (span_s * len(sent) / (len(sent) - 1)) if span_s else 0.0
    measure = Measure("rate", "/s", _exactly(rate))
    if limits.rate is None:
        yield Finding(Verdict.MET, measure, "")
    else:
        word = Verdict.MET if rate >= limits.rate else Verdict.MISSED
        text = f"{rate:.1f} good answers a second, at least {format_rate(limits.rate)}"
        yield Finding(word, measure, text)
    reached = concurrency(sent)
    measure = Measure("concurrency", "in flight", _exactly(reached))
    if limits.concurrency is None:
        yield Finding(Verdict.MET, measure, "")
    else:
        word = Verdict.MET if reached >= limits.concurrency else Verdict.MISSED
        text = f"{reached:.1f} in flight in the fullest second, at least {limits.concurrency}"
        yield Finding(word, measure, text)


def concurrency(sent: Sent) -> float:
    """Mean number in flight in the fullest second, seconds counted from the first due time."""
    numpy = import_numpy()
    begin = numpy.sort(sent.due_ns + sent.late_us * 1000)
    end = numpy.sort(sent.due_ns + sent.latency_us * 1000)
    first, last = int(begin[0]), int(end[-1])
    edges = numpy.arange(first, last + 10**9, 10**9)

    def area(times: Any) -> Any:
        """Integral of how many of these had happened, at each edge."""
        sums = numpy.concatenate(([0.0], numpy.cumsum((times - first) / 1e9)))
        count = numpy.searchsorted(times, edges, side="right")
        return count * ((edges - first) / 1e9) - sums[count]

    return float(numpy.diff(area(begin) - area(end)).max()) if len(edges) > 1 else 0.0


def _length(objective: Slo, window: Window) -> Iterator[Finding]:
    if objective.at_least is None:
        return
    sent = window.kept
    span_ns = int(sent.due_ns[-1]) - int(sent.due_ns[0]) if len(sent) else 0
    # The last request of a profile is due one spacing before its end.
    span_ns += span_ns // max(1, len(sent) - 1)
    measure = Measure("length", "s", _exactly(span_ns / 1e9))
    wanted = limit_text(objective.at_least)
    short = span_ns < objective.at_least
    text = f"the load lasted {span_ns / 1e9:.0f} s of at least {wanted}"
    text += "; a shortened soak is a smoke" if short else ""
    yield Finding(Verdict.INCONCLUSIVE if short else Verdict.MET, measure, text)


def _result(
    name: str,
    kind: str,
    limit: str,
    findings: list[Finding],
    objective: Observed,
    window: Window,
) -> ObjectiveResult:
    samples = window.everything
    verdict = combine(finding.verdict for finding in findings)
    told = [finding.text for finding in findings if finding.text]
    worst = [f.text for f in findings if f.verdict is verdict and f.text]
    reason = "; ".join((worst if verdict is not Verdict.MET else told) or ["nothing was promised"])
    if not len(window):
        verdict, reason = Verdict.INCONCLUSIVE, "no samples: nothing was sent in that window"
    if samples.doubt:
        verdict, reason = Verdict.INCONCLUSIVE, samples.doubt
    # What was promised comes first; the rest is there for whoever looks closer.
    measured = [f.measure for f in sorted(findings, key=lambda finding: not finding.text)]
    measured += [_count("samples", len(window)), _count("unsent", samples.unsent)]
    if objective.shed:
        measured.append(_count("shed", window.shed))
    if samples.lateness_p99_us is not None:
        late_s = samples.lateness_p99_us / 1e6
        measured.append(Measure("load-lateness-p99", "s", _exactly(late_s)))
    return ObjectiveResult(name, kind, verdict, limit, tuple(measured), reason, objective.controls)


def _limits_text(objective: Slo) -> str:
    limits = objective.slo
    given = limits.percentiles()
    parts = [f"{name} {limit_text(ns)}" for name, ns in given.items() if ns is not None]
    parts += [f"errors {format_share(limits.errors)}"] if limits.errors is not None else []
    parts += [f"at least {format_rate(limits.rate)}"] if limits.rate is not None else []
    parts += [f"{limits.concurrency} in flight"] if limits.concurrency is not None else []
    parts += [f"for {limit_text(objective.at_least)}"] if objective.at_least is not None else []
    return ", ".join(parts)


def _count(name: str, number: int) -> Measure:
    return Measure(name, "requests", _exactly(number))


def _exactly(value: float) -> Interval:
    return Interval(value, value)


def _ms(us: float) -> str:
    """A latency with three figures that matter."""
    ms = us / 1000
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"
