"""RPO: which writes count as lost, how old the loss is, and what is worse than loss."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.model.judgement import Judgement, ObjectiveResult
from fireproof.model.sample import canary_body, canary_key
from fireproof.model.verdict import Outcome, Verdict
from support.records import (
    CANARY,
    RPO,
    RUN,
    Tale,
    canary_csv,
    make_plan,
    objective,
    present_csv,
)

Answers = dict[int, tuple[float, float | None, str]]


def plan(**changes: Any) -> Any:
    return make_plan(probes={"canary": CANARY}, objectives={"data-loss": RPO | changes})


def writes(unknown: range = range(100, 160), count: int = 200) -> Answers:
    """Ten writes a second from 90 s on, answered after 20 ms; none answered in the outage."""
    told: Answers = {}
    for seq in range(count):
        sent = 90 + seq / 10
        told[seq] = (sent, sent + 0.02, "unknown" if seq in unknown else "acked")
    return told


def run(
    answers: Answers,
    present: list[int],
    more: dict[str, tuple[str, int]] | None = None,
    read_at: float = 115.0,
) -> Tale:
    tale = Tale().phase("baseline", 90.0)
    tale.probe(canary_csv(answers), name="canary", kind="canary", timeout=2.0)
    tale.fault().phase("recover", 100.1).recovered(108.0)
    tale.canary_read(present_csv(present, more), read_at)
    return tale.phase("refuse", 119.0).undone(120.0)


def loss(judgement: Judgement) -> ObjectiveResult:
    return objective(judgement, "data-loss")


def age(judgement: Judgement) -> tuple[float, float]:
    interval = loss(judgement).measured[0].interval
    assert interval is not None
    return round(interval.lo, 6), round(interval.hi, 6)


ACKED = [seq for seq, write in writes().items() if write[2] == "acked"]
LATER = [seq for seq in ACKED if seq >= 160]


def test_nothing_lost_is_met_with_a_stated_resolution() -> None:
    """Nobody may read zero where only 'less than 150 ms' was observed."""
    judgement = run(writes(), ACKED).judged(plan())

    assert loss(judgement).verdict is Verdict.MET
    assert age(judgement) == (0, 0.15)  # from the sending of write 99 to the injection's end
    assert "resolution 150 ms" in loss(judgement).reason
    assert judgement.outcome is Outcome.PASSED


def test_lost_writes_are_counted_and_dated() -> None:
    """Writes 90 to 99 were acknowledged and are gone: ten writes, about a second."""
    judgement = run(writes(), [*range(90), *LATER]).judged(plan())

    assert loss(judgement).verdict is Verdict.MISSED
    assert age(judgement) == (0.98, 1.15)
    assert judgement.canary["canary"]["lost"] == 10
    assert judgement.canary["canary"]["holes"] == 0  # later writes went to the restored system
    assert "10 of 140 acknowledged writes lost" in loss(judgement).reason


@pytest.mark.parametrize(
    ("rpo", "verdict"),
    [("1150ms", "met"), ("1100ms", "inconclusive"), ("900ms", "missed"), ("0s", "missed")],
)
def test_a_declared_loss_is_judged_by_its_age(rpo: str, verdict: str) -> None:
    """An archive that is shipped each second may lose a second, and no more."""
    tale = run(writes(), [*range(90), *LATER])

    assert loss(tale.judged(plan(rpo=rpo, lost=None))).verdict.value == verdict


def test_a_count_limit_holds_beside_the_age() -> None:
    """Ten lost writes within the age may still be more than was promised."""
    tale = run(writes(), [*range(90), *LATER])

    assert loss(tale.judged(plan(rpo="5s", lost=10))).verdict is Verdict.MET
    assert loss(tale.judged(plan(rpo="5s", lost=9))).verdict is Verdict.MISSED


def test_writes_lost_by_the_recovered_system_are_missed_whatever_the_limit() -> None:
    """The allowance is for the disaster, not for what is acknowledged after it."""
    judgement = run(writes(), ACKED[:-3]).judged(plan(rpo="1h", lost=None))

    assert loss(judgement).verdict is Verdict.MISSED
    assert "recovered system" in loss(judgement).reason


def test_a_write_acknowledged_after_the_read_began_need_not_be_in_it() -> None:
    """Otherwise a canary that outlives the read would invent losses."""
    tale = run(writes(), [seq for seq in ACKED if seq <= 170], read_at=107.9)
    declared = next(record for record in tale.records if record.kind == "recovered")
    object.__setattr__(declared, "mono_ns", 107_000_000_000)

    assert loss(tale.judged(plan())).verdict is Verdict.MISSED  # 171 to 178 were before it
    assert tale.judged(plan()).canary["canary"]["lost"] == 8


def test_an_unknown_write_is_neither_lost_nor_kept() -> None:
    """A time-out may have been written or not; both are fine."""
    judgement = run(writes(), [*ACKED, 100, 101]).judged(plan())

    assert loss(judgement).verdict is Verdict.MET
    assert judgement.canary["canary"]["recovered"] == 2
    assert judgement.canary["canary"]["unknown"] == 60


def test_a_lost_write_older_than_a_survivor_is_a_hole() -> None:
    """A cut at one point in time leaves no holes; a hole says that something else happened."""
    judgement = run(writes(), [seq for seq in ACKED if seq != 50]).judged(plan())

    assert judgement.canary["canary"]["holes"] == 1
    assert age(judgement) == (4.98, 5.15)


def test_only_an_explicit_refusal_is_refused() -> None:
    """A refused write that is there afterwards is a lie to the client."""
    answers = writes() | {10: (91.0, 91.02, "refused")}
    present = [seq for seq in ACKED if seq != 10]

    assert loss(run(answers, present).judged(plan())).verdict is Verdict.MET
    judgement = run(answers, ACKED).judged(plan(rpo="1h", lost=None))
    assert loss(judgement).verdict is Verdict.MISSED
    assert judgement.canary["canary"]["phantom"] == 1


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({canary_key(RUN, 5): ("changed", 1)}, "corrupt"),
        ({canary_key(RUN, 5): (canary_body(RUN, 5), 2)}, "duplicate"),
        ({canary_key(RUN, 5000): (canary_body(RUN, 5000), 1)}, "unexpected"),
    ],
)
def test_falsehood_is_missed_whatever_loss_is_allowed(
    more: dict[str, tuple[str, int]], kind: str
) -> None:
    """No allowance for loss covers a row that says something else."""
    judgement = run(writes(), ACKED, more).judged(plan(rpo="1h", lost=None))

    assert loss(judgement).verdict is Verdict.MISSED
    assert judgement.canary["canary"][kind] == 1


def test_rows_of_other_runs_are_not_ours_to_judge() -> None:
    """The table may hold the canaries of last week."""
    judgement = run(writes(), ACKED, {"another-00000001": ("x", 1)}).judged(plan())

    assert loss(judgement).verdict is Verdict.MET
    assert judgement.canary["canary"]["foreign"] == 1


def without(kind: str) -> Tale:
    tale = run(writes(), ACKED)
    tale.records = [record for record in tale.records if record.kind != kind]
    return tale


def dead() -> Tale:
    tale = run(writes(), ACKED)
    next(r for r in tale.records if r.kind == "probe-stop").data["clean"] = False
    return tale


def missing(file: str) -> Tale:
    tale = run(writes(), ACKED)
    del tale.samples[f"data/samples/{file}.csv"]
    return tale


def shorter(file: str) -> Tale:
    tale = run(writes(), ACKED)
    name = f"data/samples/{file}.csv"
    lines = tale.samples[name].splitlines(keepends=True)
    tale.samples[name] = b"".join(lines[:-1])
    return tale


@pytest.mark.parametrize(
    ("tale", "why"),
    [
        (run(writes(range(200)), []), "acknowledged before the fault"),
        (run(writes(range(100)), [*range(100, 200)]), "acknowledged before the fault"),
        (run(writes(range(60, 160)), [*range(60), *LATER]), "acknowledged in the last"),
        (run(writes() | {150: (105.0, None, "not-sent")}, ACKED), "never sent"),
        (run(writes(), ACKED, read_at=99.0), "before the fault was done"),
        (run(writes(), ACKED, read_at=105.0), "after a declared recovery"),
        (without("canary-read"), "never read"),
        (without("probe-start"), "never started"),
        (without("probe-stop"), "died"),
        (without("recovered"), "declared recovery"),
        (dead(), "died"),
        (missing("canary"), "is not there"),
        (missing("canary-present"), "is not there"),
        (shorter("canary"), "missing"),
        (shorter("canary-present"), "missing"),
    ],
)
def test_what_cannot_be_told_is_inconclusive_and_says_why(tale: Tale, why: str) -> None:
    """Each of these would otherwise be 'no data lost'."""
    judgement = tale.judged(plan())

    assert loss(judgement).verdict is Verdict.INCONCLUSIVE
    assert why in loss(judgement).reason
    assert judgement.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"intent,5,90500000000,somebody-else\n", "appears twice"),
        (b"intent,900,90500000000,somebody-else\n", "not the key"),
        (b"acked,900,90500000000,\n", "nothing that was asked"),
        (b"acked,5,90600000000,\n", "nothing that was asked"),
        (b"lost,5,90600000000,\n", "unknown event"),
        (b"acked,5\n", "4 fields"),
        (b"acked,5,soon,\n", "nanoseconds"),
        (b"not-sent,5,90600000000,\n", "appears twice"),
    ],
)
def test_a_canary_file_that_contradicts_itself_is_inconclusive(row: bytes, why: str) -> None:
    """Two answers to one write: whoever picks one picks the number."""
    tale = run(writes(), ACKED)
    tale.samples["data/samples/canary.csv"] += row

    assert why in loss(tale.judged(plan())).reason


@pytest.mark.parametrize("row", [b"k,abc,1\n", b"k,%s,0\n" % (b"0" * 64), b'"k,1\n', b"k\n"])
def test_a_presence_file_of_another_shape_is_inconclusive(row: bytes) -> None:
    """Presence is half of the evidence for 'nothing lost'."""
    tale = run(writes(), ACKED)
    tale.samples["data/samples/canary-present.csv"] += row

    assert loss(tale.judged(plan())).verdict is Verdict.INCONCLUSIVE
