"""Whole judgements: less evidence, or worse evidence, never gives a better verdict."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fireproof.judge.loss import Evidence, loss_age, tally
from fireproof.judge.samples import parse_canary, parse_present
from fireproof.judge.story import Source, Span
from fireproof.model.judgement import Judgement
from fireproof.model.plan import Plan
from fireproof.model.verdict import Outcome, Verdict
from support.records import (
    API,
    CANARY,
    RPO,
    RTO,
    RUN,
    Tale,
    canary_csv,
    make_plan,
    ns,
    present_csv,
    probe_csv,
    steady,
)

WRITES = {
    seq: (
        90 + seq / 10,
        90.02 + seq / 10,
        "unknown" if 100 <= seq < 160 else "acked",
    )
    for seq in range(200)
}
ACKED = [seq for seq, write in WRITES.items() if write[2] == "acked"]


def plan(rto: str = "10s", rpo: str = "0s", lost: int | None = 0) -> Plan:
    return make_plan(
        probes={"api": API, "canary": CANARY},
        objectives={
            "recovery-time": RTO | {"rto": rto},
            "verified-time": RTO | {"rto": "15s", "clock": "verified"},
            "data-loss": RPO | {"rpo": rpo, "lost": lost},
            "content": {"checks": ["digest", "row-count"]},
        },
        verify=[{"kind": "process", "params": {"process": "true"}}],
    )


def good_run(present: list[int] | None = None) -> Tale:
    tale = Tale().phase("baseline", 90.0)
    tale.probe(probe_csv(steady((100.2, 106.0))))
    tale.probe(canary_csv(WRITES), name="canary", kind="canary", timeout=2.0)
    tale.fault().phase("recover", 100.1).recovered(108.0).phase("verify")
    tale.check("digest", 108.5).check("row-count", 108.6).step("verify", 109.0)
    tale.canary_read(present_csv(ACKED if present is None else present), 115.0)
    return tale.phase("refuse", 119.0).undone(120.0)


GOOD = good_run()
WEIGHT = list(Verdict).index


def verdicts(judgement: Judgement) -> dict[str, int]:
    return {one.name: WEIGHT(one.verdict) for one in judgement.objectives}


def test_the_run_that_is_spoilt_below_passes() -> None:
    """Otherwise none of the following would show anything."""
    judgement = GOOD.judged(plan())

    assert judgement.outcome is Outcome.PASSED, judgement.reason


DECIDING = [
    (index, key)
    for index, record in enumerate(GOOD.records)
    for key in ("ok", "clean")
    if key in record.data
]


@given(st.lists(st.sampled_from(DECIDING), min_size=1), st.sampled_from([None, False, "yes", 1]))
def test_unknown_is_never_met(where: list[tuple[int, str]], value: Any) -> None:
    """Null, false and words that look like true are all something other than true."""
    tale = copy.deepcopy(GOOD)
    for index, key in where:
        tale.records[index].data[key] = value

    assert tale.judged(plan()).outcome is not Outcome.PASSED


@given(st.sets(st.sampled_from(sorted(GOOD.samples)), min_size=1))
def test_without_its_samples_no_run_passes(gone: set[str]) -> None:
    """Losing the file is not a way to lose the failure."""
    tale = copy.deepcopy(GOOD)
    for name in gone:
        del tale.samples[name]

    assert tale.judged(plan()).outcome is Outcome.INCONCLUSIVE


NEEDED = [index for index, r in enumerate(GOOD.records) if r.kind not in ("phase", "revert-begin")]


@given(st.sets(st.sampled_from(NEEDED), min_size=1, max_size=4))
def test_without_its_records_no_run_passes(gone: set[int]) -> None:
    """The chain notices a missing record too; the judge does not rely on it."""
    tale = copy.deepcopy(GOOD)
    tale.records = [record for index, record in enumerate(tale.records) if index not in gone]

    kinds = {GOOD.records[index].kind for index in gone}
    assert tale.judged(plan()).outcome is not Outcome.PASSED, kinds


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_garbage_in_a_sample_file_never_passes_and_never_raises(data: Any) -> None:
    """The judge reads what a stranger hands over."""
    tale = copy.deepcopy(GOOD)
    name = data.draw(st.sampled_from(sorted(tale.samples)))
    old = tale.samples[name]
    at = data.draw(st.integers(0, len(old) - 1))
    tale.samples[name] = old[:at] + data.draw(st.binary(max_size=40))

    if tale.samples[name] != old:
        assert tale.judged(plan()).outcome is not Outcome.PASSED


SOME = st.sets(st.sampled_from(ACKED), max_size=12)


@settings(max_examples=80, deadline=None)
@given(SOME, SOME, st.sampled_from(["0s", "500ms", "2s", "1h"]), st.sampled_from([None, 0, 5]))
def test_another_lost_write_never_improves_the_verdict(
    lost: set[int], more: set[int], rpo: str, limit: int | None
) -> None:
    """Nor may it shorten the age of the loss."""
    fewer = good_run([seq for seq in ACKED if seq not in lost]).judged(plan("10s", rpo, limit))
    worse = good_run([seq for seq in ACKED if seq not in lost | more]).judged(
        plan("10s", rpo, limit)
    )

    assert verdicts(worse)["data-loss"] >= verdicts(fewer)["data-loss"]
    assert worse.canary["canary"]["lost"] >= fewer.canary["canary"]["lost"]


LIMITS_MS = st.integers(0, 20_000)


@settings(max_examples=60, deadline=None)
@given(LIMITS_MS, LIMITS_MS, SOME)
def test_a_wider_limit_never_worsens_a_verdict(limit: int, more: int, lost: set[int]) -> None:
    """Met at ten seconds is met at eleven."""
    tale = good_run([seq for seq in ACKED if seq not in lost])
    tight = verdicts(tale.judged(plan(f"{limit}ms", f"{limit}ms", None)))
    wide = verdicts(tale.judged(plan(f"{limit + more}ms", f"{limit + more}ms", None)))

    assert all(wide[name] <= tight[name] for name in tight)


@st.composite
def losses(draw: Any) -> tuple[dict[int, tuple[float, float | None, str]], list[int], float]:
    """Writes with their truth: each commits between sending and answer; a cut loses the rest."""
    period = draw(st.sampled_from([0.005, 0.02, 0.1]))
    delays = draw(st.lists(st.integers(0, 30), min_size=2, max_size=9))
    cut = 100 - draw(st.integers(0, 1_500)) / 1000
    told: dict[int, tuple[float, float | None, str]] = {}
    present = []
    for seq in range(int(2 / period)):
        sent = 98 + seq * period
        committed = sent + delays[seq % len(delays)] / 1000
        answered = committed + delays[(seq + 1) % len(delays)] / 1000
        in_time = answered <= 100
        told[seq] = (sent, answered, "acked" if in_time else "unknown")
        if ns(committed) <= ns(cut):
            present.append(seq)
    return told, present, cut


@settings(max_examples=200, deadline=None)
@given(losses(), st.integers(0, 80))
def test_the_age_of_the_loss_holds_the_truth(
    told: tuple[dict[int, tuple[float, float | None, str]], list[int], float], took_ms: int
) -> None:
    """The state that came back ends at the cut; its age is what the objective is about."""
    answers, present, cut = told
    injection = Span(ns(100), ns(100) + took_ms * 10**6)
    evidence = Evidence(
        Source(b"", 1, 1, 0),
        parse_canary(canary_csv(answers), RUN),
        parse_present(present_csv(present)),
        Span(ns(110), ns(111)),
        "",
    )
    found = tally(RUN, evidence)
    acked = [seq for seq, write in answers.items() if write[2] == "acked"]

    assert found.counts["lost"] == len(set(acked) - set(present))
    assert ns(100) - ns(cut) in loss_age(found, injection) or not found.lost
    assert ns(100) - ns(cut) <= loss_age(found, injection).hi
