"""RPO: which acknowledged writes are gone, and how old the loss is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from fireproof.judge.samples import CanarySamples, Present, Write, parse_canary, parse_present
from fireproof.judge.story import CannotTell, Source, Span, Story
from fireproof.judge.words import compared, limit_text, many, seconds, span
from fireproof.model.drill import DataLoss
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.sample import canary_body, canary_key
from fireproof.model.verdict import Verdict, combine

CLASSES = (
    "acked",
    "refused",
    "unknown",
    "not-sent",
    "lost",
    "recovered",
    "unexpected",
    "phantom",
    "corrupt",
    "duplicate",
    "holes",
    "foreign",
)
# None of these may happen, whatever the loss that is allowed: they are not loss but falsehood.
FORBIDDEN = {
    "unexpected": "never sent but present",
    "phantom": "refused but present",
    "corrupt": "present with another content",
    "duplicate": "present more than once",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Every write in its class; ``lost`` and ``survived`` in the order of acknowledgement."""

    counts: Mapping[str, int]
    lost: Sequence[Write]
    survived: Sequence[Write]  # acknowledged and present


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to judge a canary by."""

    source: Source
    samples: CanarySamples
    present: Mapping[str, Present]
    read: Span
    doubt: str  # rows are missing


def gather(probe: str, run: str, story: Story) -> Evidence:
    """The canary's file and the last read of what the store held.

    Raises:
        CannotTell: when either is missing.
        MalformedError: when either is not what it claims to be.
    """
    source = story.source(probe)
    samples = parse_canary(source.data, run)
    reads = [r.data for r in story.of("canary-read") if r.data["probe"] == probe]
    if not reads:
        raise CannotTell(f"what the store held of canary {probe} was never read")
    last = reads[-1]
    data = story.samples.get(last["file"])
    if data is None:
        raise CannotTell(f"no samples: {last['file']} is not there")
    present = parse_present(data)
    read = Span(last["before_ns"], last["after_ns"])
    doubt = ""
    if samples.rows != source.rows or len(present) != last["rows"]:
        doubt = "samples are missing: fewer or more rows than the journal says"
    return Evidence(source, samples, present, read, doubt)


def tally(run: str, evidence: Evidence, injected_ns: float = math.inf) -> Tally:
    """Put every write and every present key into its class.

    Only survivors that were sent by ``injected_ns`` make holes: what the recovered system took in
    later lies behind every loss.
    """
    present, writes = evidence.present, evidence.samples.writes
    counts = dict.fromkeys(CLASSES, 0)
    counts["not-sent"] = evidence.samples.unsent
    lost: list[Write] = []
    survived: list[Write] = []
    newest_sent = -1
    keys: set[str] = set()
    for seq, write in writes.items():
        key = canary_key(run, seq)
        keys.add(key)
        found = present.get(key)
        counts[write.answer] += 1
        if found is not None:
            if write.sent_ns <= injected_ns:
                newest_sent = max(newest_sent, write.sent_ns)
            expected = sha256(canary_body(run, seq).encode()).hexdigest()
            counts["corrupt"] += found.body_sha256 != expected
            counts["duplicate"] += found.count > 1
            counts["recovered"] += write.answer == "unknown"
            counts["phantom"] += write.answer == "refused"
            if write.answer == "acked":
                survived.append(write)
        elif write.answer == "acked" and _answered(write) <= evidence.read.before_ns:
            lost.append(write)  # acknowledged after the read began: it need not have been seen
    for key in present:
        if key not in keys:  # keys of other runs are other people's rows
            counts["unexpected" if key.startswith(f"{run}-") else "foreign"] += 1
    counts["lost"] = len(lost)
    counts["holes"] = sum(_answered(write) < newest_sent for write in lost)
    return Tally(counts, sorted(lost, key=_answered), sorted(survived, key=_answered))


def loss_age(found: Tally, injection: Span) -> Interval:
    """Age of the loss in nanoseconds: how long before the injection the surviving state ends.

    With losses: not younger than the oldest lost acknowledgement, not older than the sending of
    the newest survivor acknowledged before it. Without: from 0 to the resolution, the age of the
    newest survivor acknowledged by the time of the injection.
    """
    first_loss = _answered(found.lost[0]) if found.lost else injection.after_ns + 1
    older = [write.sent_ns for write in found.survived if _answered(write) < first_loss]
    lo = max(0, injection.before_ns - first_loss) if found.lost else 0
    if not older:
        return Interval(lo, math.inf)
    return Interval(lo, max(lo, injection.after_ns - max(older)))


def judge_loss(name: str, objective: DataLoss, run: str, story: Story) -> ObjectiveResult:
    """Verdict on data loss: by age, by count, and by what must never happen.

    Raises:
        CannotTell: when the evidence is missing.
        MalformedError: when it is not what it claims to be.
    """
    injection = story.injection()
    evidence = gather(objective.from_, run, story)
    found = tally(run, evidence, injection.after_ns)
    counts = found.counts
    if evidence.doubt:
        raise CannotTell(evidence.doubt)
    if evidence.read.before_ns < injection.after_ns:
        raise CannotTell("the store was read before the fault was done")
    acked = [w for w in evidence.samples.writes.values() if w.answer == "acked"]
    if not any(_answered(w) <= injection.before_ns for w in acked):
        raise CannotTell("no write was acknowledged before the fault")
    declared = story.recovery()
    recovered_ns = declared.mono_ns if declared and declared.data["ok"] is True else None

    age = loss_age(found, injection)
    findings: list[tuple[Verdict, str]] = []
    for kind, meaning in FORBIDDEN.items():
        if counts[kind]:
            findings.append((Verdict.MISSED, f"{many(counts[kind], 'write')} {meaning}"))
    limit = limit_text(objective.rpo)
    findings.append(_by_age(objective.rpo, age, found, injection, evidence.source))
    if objective.lost is not None:
        over = counts["lost"] > objective.lost
        lost = f"{counts['lost']} of {len(acked)} acknowledged writes lost"
        findings.append(
            (Verdict.MISSED if over else Verdict.MET, f"{lost}, limit {objective.lost}")
        )
        limit += f", {objective.lost} lost"
    if recovered_ns is not None and any(_answered(w) > recovered_ns for w in found.lost):
        text = "the recovered system lost writes that it had acknowledged"
        findings.append((Verdict.MISSED, text))
    if evidence.samples.unsent:
        slots = many(evidence.samples.unsent, "slot was", "slots were")
        findings.append((Verdict.INCONCLUSIVE, f"measurement invalid: {slots} never sent"))
    if recovered_ns is None or evidence.read.before_ns < recovered_ns:
        text = "the store was not read after a declared recovery"
        findings.append((Verdict.INCONCLUSIVE, text))

    verdict = combine(one for one, _ in findings)
    reason = "; ".join(text for one, text in findings if one is verdict)
    note = "" if found.lost else "nothing lost; the upper bound is the resolution"
    measures = (
        Measure("rpo.age", "s", seconds(age), note),
        _count("rpo.lost", counts["lost"]),
        _count("rpo.acked", len(acked)),
    )
    return ObjectiveResult(name, "rpo", verdict, limit, measures, reason, objective.controls)


def _by_age(
    rpo_ns: int, age: Interval, found: Tally, injection: Span, source: Source
) -> tuple[Verdict, str]:
    if found.lost:
        said = f"{many(len(found.lost), 'acknowledged write')} lost, the loss is {span(age)} old"
        if rpo_ns == 0:
            return Verdict.MISSED, f"{said}, limit 0s"
        verdict = judge_at_most(age, rpo_ns)
        return verdict, said + compared(verdict, limit_text(rpo_ns))
    said = f"no acknowledged write lost (resolution {_single(age.hi)})"
    if age.hi <= rpo_ns:
        return Verdict.MET, f"{said}, limit {limit_text(rpo_ns)}"
    # No resolution is within a limit of zero: the count decides, provided that writes were still
    # being acknowledged when the fault struck.
    newest = max(w.sent_ns for w in found.survived if _answered(w) <= injection.after_ns)
    quiet = injection.before_ns - newest
    if quiet > max(source.timeout_ns, 2 * source.period_ns):
        said = f"no write was acknowledged in the last {_single(quiet)} before the fault"
        return Verdict.INCONCLUSIVE, said
    return Verdict.MET, f"{said}, limit {limit_text(rpo_ns)}"


def _single(ns: float) -> str:
    if math.isinf(ns):
        return "unknown"
    return f"{ns / 1e6:.0f} ms" if ns < 10**9 else f"{ns / 1e9:.2f} s"


def _answered(write: Write) -> int:
    if write.answered_ns is None:
        raise ValueError(f"write {write.seq} has no answer")
    return write.answered_ns


def _count(name: str, value: int) -> Measure:
    return Measure(name, "writes", Interval(value, value))
