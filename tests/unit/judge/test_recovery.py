"""RTO: what the interval holds, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.model.judgement import Judgement
from fireproof.model.verdict import Outcome, Verdict
from support.records import RTO, make_plan, objective, probe_csv, recovered_run, steady


def rto(judgement: Judgement) -> Any:
    return objective(judgement, "recovery-time")


def bounds(judgement: Judgement, name: str) -> tuple[float, float]:
    measure = next(one for one in rto(judgement).measured if one.name == name)
    assert measure.interval is not None
    return round(measure.interval.lo, 6), round(measure.interval.hi, 6)


def with_rto(**changes: Any) -> Any:
    return make_plan(objectives={"recovery-time": RTO | changes})


def test_recovery_lies_between_the_last_bad_question_and_the_first_good_answer() -> None:
    """The injection took 50 ms and the probes 100 ms; both belong to what is not known."""
    judgement = recovered_run(steady((100.2, 106.0))).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (5.85, 6.01)
    assert bounds(judgement, "rto.outage") == (5.69, 5.91)
    assert rto(judgement).verdict is Verdict.MET
    assert judgement.outcome is Outcome.PASSED
    assert judgement.exit_code == 0


def test_the_own_clock_comes_first_and_decides() -> None:
    """A reader takes the first number for the one that was judged."""
    judgement = recovered_run(steady((100.2, 106.0))).judged(with_rto(clock="outage", rto="5950ms"))

    assert rto(judgement).measured[0].name == "rto.outage"
    assert rto(judgement).verdict is Verdict.MET  # by the injection clock it could not be told


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        ("6010ms", "met"),
        ("6009ms", "inconclusive"),
        ("5850ms", "inconclusive"),
        ("5849ms", "missed"),
    ],
)
def test_a_limit_inside_the_interval_cannot_be_told(limit: str, verdict: str) -> None:
    """Neither a pass nor a failure may be read out of the resolution of the probe."""
    judgement = recovered_run(steady((100.2, 106.0))).judged(with_rto(rto=limit))

    assert rto(judgement).verdict.value == verdict


def test_a_probe_that_flaps_restarts_the_recovery_clock() -> None:
    """One good answer in the middle of an outage is not recovery."""
    rows = steady((100.2, 106.0))
    rows[130] = (*rows[130][:3], "good")  # at 103 s
    judgement = recovered_run(rows).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (5.85, 6.01)


def test_a_blip_before_the_real_outage_is_not_the_outage() -> None:
    """A fault may take time to bite; what held before recovery was declared proves nothing."""
    rows = steady((104.0, 106.0))
    rows[101] = (*rows[101][:3], "slow")
    judgement = recovered_run(rows).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (5.85, 6.01)


def test_a_stray_bad_answer_after_a_held_recovery_is_told_and_not_timed() -> None:
    """Recovery held; one slow answer nine seconds later is another matter, and is stated."""
    rows = steady((100.2, 106.0))
    rows[250] = (*rows[250][:3], "slow")
    judgement = recovered_run(rows).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (5.85, 6.01)
    assert "1 bad answer later on" in rto(judgement).reason


def test_a_long_relapse_takes_the_recovery_back() -> None:
    """Good for long enough and then gone for just as long is not recovered."""
    rows = [
        (*row[:3], "refused" if 111 <= row[0] < 114 else row[3]) for row in steady((100.2, 106.0))
    ]
    judgement = recovered_run(rows).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (13.85, 14.01)
    assert rto(judgement).verdict is Verdict.MISSED


def test_a_relapse_that_lasts_to_the_end_is_no_recovery() -> None:
    """The last thing clients saw was a refusal."""
    rows = [(*row[:3], "refused" if row[0] > 119.8 else row[3]) for row in steady((100.2, 106.0))]
    judgement = recovered_run(rows).judged(make_plan())

    assert rto(judgement).verdict is Verdict.MISSED
    assert rto(judgement).measured[0].to_json()["interval"]["hi"] is None


def test_never_good_again_is_missed_only_when_watched_beyond_the_limit() -> None:
    """What was not watched long enough may yet have come back in time."""
    tale = recovered_run(steady((100.2, 999.0)))

    assert rto(tale.judged(make_plan())).verdict is Verdict.MISSED
    assert rto(tale.judged(with_rto(rto="1m"))).verdict is Verdict.INCONCLUSIVE


def test_good_again_but_not_watched_for_the_hold_is_not_met() -> None:
    """Hold is a promise about time that was observed."""
    rows = steady((100.2, 106.0), end=107.0)
    judgement = recovered_run(rows, recovered_at=106.5).judged(make_plan())

    assert rto(judgement).verdict is Verdict.INCONCLUSIVE
    assert "not watched" in rto(judgement).reason


def test_good_again_only_after_the_undo_is_no_recovery() -> None:
    """Putting the disk back is not restoring the backup."""
    tale = recovered_run(steady((100.2, 106.0)))
    tale.records = [r for r in tale.records if r.kind not in ("reverted", "residue")]
    tale.records = [r for r in tale.records if r.data.get("phase") != "revert"]
    tale.tell("revert-begin", 105.5, fault=0, attempt=1)
    tale.tell("reverted", 105.6, fault=0, noop=False, observed="gone")
    tale.tell("residue", 120.2, clean=True, found=[], clocks={})
    judgement = tale.judged(make_plan())

    assert rto(judgement).verdict is Verdict.INCONCLUSIVE
    assert "taken back" in rto(judgement).reason


def test_a_failed_recovery_step_misses_the_objective_however_good_the_probes() -> None:
    """The procedure is what is rehearsed; a service that healed by itself does not prove it."""
    tale = recovered_run(steady((100.2, 106.0)))
    tale.records = [r for r in tale.records if r.kind != "recovered"]
    judgement = tale.recovered(108.0, ok=False, detail="playbook restore.yml failed").judged(
        make_plan()
    )

    assert rto(judgement).verdict is Verdict.MISSED
    assert rto(judgement).measured[0].to_json()["interval"] == {"lo": "10", "hi": None}
    assert judgement.exit_code == 1
    assert "restore.yml failed" in judgement.reason


def test_a_recovery_that_nobody_declared_is_not_met() -> None:
    """Undoing the fault in an abort also brings the service back."""
    tale = recovered_run(steady((100.2, 106.0)))
    tale.records = [r for r in tale.records if r.kind != "recovered"]

    assert rto(tale.judged(make_plan())).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no samples"),
        (steady((0, 999)), "baseline was never good"),
        (steady((97.0, 106)), "not good when the fault struck"),
        (steady((0, 0)), "did not bite"),
        ([*steady((100.2, 106)), (120.0, 120.0, 120.0, "not-sent")], "1 slot was never asked"),
        ([row for row in steady((100.2, 106)) if row[0] != 91.0], "have no row"),
        ([(d, s + 0.011, e + 0.011, o) for d, s, e, o in steady((100.2, 106))], "p99 11.0 ms"),
    ],
)
def test_what_cannot_be_measured_is_inconclusive_and_says_why(
    rows: list[tuple[float, float, float, str]], why: str
) -> None:
    """Each of these would otherwise be a green number about nothing."""
    judgement = recovered_run(rows).judged(make_plan())

    assert rto(judgement).verdict is Verdict.INCONCLUSIVE
    assert why in rto(judgement).reason
    assert judgement.exit_code == 6


@pytest.mark.parametrize("clean", [False, None])
def test_a_probe_that_died_measured_nothing(clean: bool | None) -> None:
    """Its last samples may be the ones that matter."""
    tale = recovered_run(steady((100.2, 106.0)))
    stop = next(record for record in tale.records if record.kind == "probe-stop")
    stop.data["clean"] = clean

    assert "died" in rto(tale.judged(make_plan())).reason


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-1], "torn"),
        (lambda data: data.replace(b"due_ns", b"Due_ns"), "header"),
        (lambda data: data + data.split(b"\n")[1] + b"\n", "twice"),
        (lambda data: data + b"1,2,3\n", "6 fields"),
        (lambda data: data + b"1,2,3,4,,excellent\n", "unknown outcome"),
        (lambda data: data + b"9,2,3,4,200,good\n", "out of order"),
        (lambda data: data + b"01,2,3,4,200,good\n", "nanoseconds"),
        (lambda data: data + "ü\n".encode(), "ASCII"),
        (lambda data: data.replace(b",200,good", b",503,good", 1), "contradict"),
        (lambda data: data.rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n", "missing"),
    ],
)
def test_a_sample_file_of_another_shape_is_inconclusive(change: Any, why: str) -> None:
    """A lenient reader lets whoever wrote the file choose the number."""
    tale = recovered_run(steady((100.2, 106.0)))
    file = "data/samples/api.csv"
    tale.samples[file] = change(tale.samples[file])
    judgement = tale.judged(make_plan())

    assert rto(judgement).verdict is Verdict.INCONCLUSIVE
    assert why in rto(judgement).reason


def verified_run(ok: bool | None = True, *, checks: bool = True) -> Any:
    tale = recovered_run(steady((100.2, 106.0)))
    at = next(i for i, r in enumerate(tale.records) if r.data.get("phase") == "refuse")
    rest, tale.records = tale.records[at:], tale.records[:at]
    tale.now = 108.5
    if checks:
        tale.check("content", 109.0, ok)
    tale.step("verify", 109.5, ok)
    tale.records += rest
    return tale


def test_on_the_verified_clock_up_waits_for_the_content() -> None:
    """A service that answers with last week's data is not back."""
    judgement = verified_run().judged(with_rto(clock="verified"))

    assert bounds(judgement, "rto.verified") == (8.95, 9.5)
    assert rto(judgement).verdict is Verdict.MET


@pytest.mark.parametrize(
    ("tale", "why"),
    [
        (verified_run(False), "did not pass"),
        (verified_run(None), "could not be told"),
        (verified_run(checks=False), "nothing was checked"),
        (recovered_run(steady((100.2, 106.0))), "nothing was verified"),
    ],
)
def test_on_the_verified_clock_nothing_proved_is_never_met(tale: Any, why: str) -> None:
    """Skipping the verification must not be the faster way to pass."""
    judgement = tale.judged(with_rto(clock="verified"))

    assert rto(judgement).verdict is Verdict.INCONCLUSIVE
    assert why in rto(judgement).reason


def test_the_time_is_split_into_detect_act_restore_and_verify() -> None:
    """At 4 a.m. the question is where the minutes went."""
    tale = verified_run()
    at = next(i for i, r in enumerate(tale.records) if r.kind == "recovered")
    rest, tale.records = tale.records[at:], tale.records[:at]
    tale.now = 100.1
    tale.step("recover", 105.0)
    tale.records += rest
    judgement = tale.judged(make_plan())

    assert bounds(judgement, "split.detect") == (0.05, 0.1)
    assert bounds(judgement, "split.act") == (4.9, 4.9)
    assert bounds(judgement, "split.restore") == (0.9, 1.01)
    assert bounds(judgement, "split.verify") == (2.99, 3.6)


def test_an_answer_that_overtakes_an_earlier_question_does_not_move_the_bounds() -> None:
    """A question hangs through the outage; later ones are answered before it ends."""
    rows = steady((100.2, 106.0), outcome="timeout")
    rows = [(d, s, s + 1.0 if o == "timeout" else e, o) for d, s, e, o in rows]
    judgement = recovered_run(rows).judged(make_plan())

    assert bounds(judgement, "rto.injection") == (5.85, 6.01)
    assert bounds(judgement, "rto.outage") == (4.7, 5.91)


def test_an_empty_file_with_a_header_is_no_samples() -> None:
    """Zero of zero bad answers is not a hundred per cent."""
    assert probe_csv([]).count(b"\n") == 1
