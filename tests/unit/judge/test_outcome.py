"""One outcome and one exit code, in the order of what is worst."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.judge import judge_run
from fireproof.model.verdict import Outcome, Verdict
from support.records import RTO, Tale, make_plan, objective, recovered_run, steady

GOOD = steady((100.2, 106.0))
CHECKED = {"content": {"checks": ["row-count", "digest"]}}


def ended(tale: Tale, **drill: Any) -> tuple[str, int, str]:
    judgement = tale.judged(make_plan(**drill))
    return judgement.outcome.value, judgement.exit_code, judgement.reason


def aborted(signal: int | None, *, harmed: bool = True, undone: bool = True) -> Tale:
    tale = Tale().phase("preflight", 89.0)
    if harmed:
        tale.fault()
    tale.tell("abort", 101.0, why="stop", by="somebody", phase="fault", signal=signal)
    return tale.undone(102.0) if undone and harmed else tale


def test_a_run_that_keeps_every_promise_passes() -> None:
    """And says how much was shown."""
    outcome, code, reason = ended(recovered_run(GOOD))

    assert (outcome, code) == ("passed", 0)
    assert "1 objective met" in reason


def test_the_reason_names_the_objective_the_number_and_the_limit() -> None:
    """One sentence has to do at 4 a.m."""
    plan = make_plan(objectives={"recovery-time": RTO | {"rto": "2s"}})
    judgement = recovered_run(GOOD).judged(plan)

    assert judgement.outcome is Outcome.FAILED
    assert judgement.exit_code == 1
    to = "\N{EN DASH}"
    assert judgement.reason == f"recovery-time missed: clients waited 5.850{to}6.010 s, limit 2s"


@pytest.mark.parametrize(
    ("tale", "outcome", "code"),
    [
        (aborted(None), "aborted", 7),
        (aborted(15), "aborted", 143),
        (aborted(None, harmed=False), "aborted", 3),
        (aborted(2, harmed=False), "aborted", 130),
        (aborted(15, undone=False), "aborted-dirty", 4),
        (recovered_run(steady((100.2, 999))), "failed", 1),
        (recovered_run([]), "inconclusive", 6),
    ],
)
def test_outcomes_have_their_codes(tale: Tale, outcome: str, code: int) -> None:
    """Pipelines act on the number alone."""
    assert ended(tale)[:2] == (outcome, code)


@pytest.mark.parametrize("clean", [False, None])
def test_residue_outweighs_every_objective(clean: bool | None) -> None:
    """Met promises on a system that is still broken help nobody."""
    tale = recovered_run(GOOD)
    tale.tell("residue", 121.0, clean=clean, found=["pid 7"], clocks={})
    outcome, code, reason = ended(tale)

    assert (outcome, code) == ("aborted-dirty", 4)
    assert "pid 7" in reason


def test_without_a_residue_check_a_harmed_system_counts_as_dirty() -> None:
    """Nobody looked is not the same as nothing there."""
    tale = recovered_run(GOOD)
    tale.records = [record for record in tale.records if record.kind != "residue"]

    assert ended(tale)[:2] == ("aborted-dirty", 4)


def test_a_fault_without_its_undo_is_dirty_and_a_later_undo_cures_it() -> None:
    """The command to run by hand stands in the reason."""
    tale = recovered_run(GOOD)
    tale.records = [record for record in tale.records if record.kind != "reverted"]
    assert ended(tale)[:2] == ("aborted-dirty", 4)

    tale.tell("revert-failed", 121.0, fault=0, attempt=1, detail="busy", command="mv a b")
    assert "run by hand: mv a b" in ended(tale)[2]

    tale.tell("reverted", 122.0, fault=0, noop=False, observed="gone")
    assert ended(tale)[:2] == ("passed", 0)


@pytest.mark.parametrize(
    ("ok", "outcome"), [(True, "passed"), (False, "failed"), (None, "inconclusive")]
)
@pytest.mark.parametrize("phase", ["recover", "verify", "refuse"])
def test_every_step_counts(phase: str, ok: bool | None, outcome: str) -> None:
    """A control experiment that was not refused fails the run as a missed objective does."""
    tale = recovered_run(GOOD)
    tale.step(phase, 119.5, ok)

    assert ended(tale)[0] == outcome


def test_a_planned_step_that_left_no_end_is_unknown() -> None:
    """A step that never finished was not a step that passed."""
    use = {"kind": "process", "params": {"process": "true"}}

    assert ended(recovered_run(GOOD), verify=[use])[0] == "inconclusive"
    assert ended(recovered_run(GOOD).step("verify", 119.5), verify=[use])[0] == "passed"


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({"row-count": True, "digest": True}, Verdict.MET),
        ({"row-count": True, "digest": False}, Verdict.MISSED),
        ({"row-count": None, "digest": False}, Verdict.MISSED),
        ({"row-count": True, "digest": None}, Verdict.INCONCLUSIVE),
        ({"row-count": True}, Verdict.INCONCLUSIVE),
        ({}, Verdict.INCONCLUSIVE),
    ],
)
def test_a_check_objective_needs_every_named_check(
    made: dict[str, bool | None], verdict: Verdict
) -> None:
    """A check that was never made is not a check that held."""
    tale = recovered_run(GOOD)
    for name, ok in made.items():
        tale.check(name, 119.5, ok)

    assert objective(tale.judged(make_plan(objectives=CHECKED)), "content").verdict is verdict


def test_a_check_that_no_objective_names_still_fails_the_run() -> None:
    """Otherwise leaving it out of the objectives would be a way to pass."""
    assert ended(recovered_run(GOOD).check("extra", 119.5, False))[0] == "failed"


def test_a_run_without_a_fault_never_passes() -> None:
    """Nothing was rehearsed."""
    tale = recovered_run(GOOD).check("row-count", 119.5).check("digest", 119.6)
    tale.records = [r for r in tale.records if r.kind not in ("intent", "injected")]

    assert ended(tale, objectives=CHECKED)[:2] == ("inconclusive", 6)


def test_an_empty_journal_is_inconclusive() -> None:
    """The judge answers to anything."""
    judgement = judge_run(make_plan(), [], {})

    assert (judgement.outcome, judgement.exit_code) == (Outcome.INCONCLUSIVE, 6)


def test_a_judge_that_crashes_says_so_and_is_inconclusive() -> None:
    """Records of another shape are a reason, not a traceback, and not a pass."""
    tale = recovered_run(GOOD)
    next(r for r in tale.records if r.kind == "probe-start").data.clear()
    assert "crashed: KeyError" in ended(tale)[2]

    tale = recovered_run(GOOD)
    next(r for r in tale.records if r.kind == "phase").data.clear()
    outcome, code, reason = ended(tale)
    assert (outcome, code) == ("inconclusive", 6)
    assert "the judge crashed" in reason


def test_a_crash_does_not_hide_a_fault_that_still_stands() -> None:
    """4 outweighs everything."""
    tale = recovered_run(GOOD)
    tale.records = [r for r in tale.records if r.kind != "reverted"]
    next(r for r in tale.records if r.kind == "phase").data.clear()

    assert ended(tale)[:2] == ("aborted-dirty", 4)


def test_phases_last_from_record_to_record() -> None:
    """The last one ends with the look for residue."""
    phases = recovered_run(GOOD).judged(make_plan()).phases

    assert {name: round(one.interval.lo, 3) for name, one in phases.items() if one.interval} == {
        "preflight": 1.0,
        "baseline": 10.0,
        "fault": 0.1,
        "recover": 7.9,
        "verify": 11.0,
        "refuse": 1.0,
        "revert": 0.2,
    }
