"""A game day is as good as its worst drill, and never better than what is known."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.journal.line import FIRST_PREV, encode
from fireproof.judge import judge_gameday
from fireproof.model.gameday import GameDayPlan
from fireproof.model.gameday_judgement import GameDayJudgement
from fireproof.model.record import Record
from fireproof.model.verdict import Outcome, Verdict

SECOND = 10**9
DIGEST = "a" * 64


def _plan(*names: str, **rules: Any) -> GameDayPlan:
    members = [
        {
            "name": name,
            "drill": name,
            "run": f"run-{name}",
            "group": index,
            "profile": "smoke",
            "components": ["db"],
        }
        for index, name in enumerate(names)
    ]
    body = {
        "run": "run-day",
        "created_at": "2026-03-02T04:05:06Z",
        "gameday": {"gameday": "day", "title": "A day", "drills": list(names)} | rules,
        "gameday_file": "drills/gamedays/day.yaml",
        "environment": {"environment": "lab", "class": "embedded", "identity": "x"},
        "members": members,
        "procedures": {},
        "tool": {},
    }
    return GameDayPlan.model_validate(body)


class Journal:
    def __init__(self) -> None:
        self.records: list[Record] = []
        data = "run drill environment plan_sha256 clocks boot_id pid"
        self.note("open", **dict.fromkeys(data.split(), "x"))

    def note(self, kind: str, **data: Any) -> None:
        at_ns = 100 * SECOND + len(self.records) * SECOND
        prev = self.records[-1].sum if self.records else FIRST_PREV
        self.records.append(encode(len(self.records), "x", at_ns, kind, data, prev))

    def start(self, name: str) -> None:
        self.note("drill-start", member=name, run=f"run-{name}")

    def end(self, name: str, code: int, outcome: str | None, *, sealed: bool = True) -> None:
        after_ns = 100 * SECOND + len(self.records) * SECOND
        self.note(
            "drill-end",
            member=name,
            run=f"run-{name}",
            code=code,
            outcome=outcome,
            identity=DIGEST if sealed else None,
            before_ns=after_ns - SECOND,
            after_ns=after_ns,
            why="" if sealed else f"exit code {code}; there is no sealed bundle",
        )

    def ran(self, name: str, code: int, outcome: str | None, *, sealed: bool = True) -> None:
        self.start(name)
        self.end(name, code, outcome, sealed=sealed)

    def judge(self, *names: str, clean: bool = True, **rules: Any) -> GameDayJudgement:
        self.note("residue", clean=clean, found=[], clocks={})
        return judge_gameday(_plan(*names, **rules), self.records)


def test_all_passed_is_passed_on_one_timeline() -> None:
    """Seconds count from the game day's first record, for every drill."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.ran("two", 0, "passed")

    found = journal.judge("one", "two")

    assert (found.outcome, found.exit_code) == (Outcome.PASSED, 0)
    assert [(d.started_s, d.ended_s) for d in found.drills] == [
        ("1.000", "2.000"),
        ("3.000", "4.000"),
    ]


@pytest.mark.parametrize(
    ("code", "outcome", "sealed", "day"),
    [
        (1, "failed", True, Outcome.FAILED),
        (6, "inconclusive", True, Outcome.INCONCLUSIVE),
        (7, "aborted", True, Outcome.ABORTED),
        (143, "aborted", True, Outcome.ABORTED),
        (4, "aborted-dirty", True, Outcome.ABORTED_DIRTY),
        (3, None, False, Outcome.INCONCLUSIVE),
        (5, None, False, Outcome.INCONCLUSIVE),
        (70, None, False, Outcome.INCONCLUSIVE),
        (99, None, False, Outcome.INCONCLUSIVE),
    ],
)
def test_one_drill_decides_when_the_others_passed(
    code: int, outcome: str | None, sealed: bool, day: Outcome
) -> None:
    """Nine green drills hide no red one."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.ran("two", code, outcome, sealed=sealed)

    found = journal.judge("one", "two", clean=code != 4)

    assert (found.outcome, found.exit_code) == (day, code)
    assert "1 of 2 drills passed; two " in found.reason


def test_a_drill_without_a_bundle_did_not_pass() -> None:
    """Exit code 0 is somebody's word."""
    journal = Journal()
    journal.ran("one", 0, "passed", sealed=False)

    found = journal.judge("one")

    assert found.drills[0].verdict is Verdict.INCONCLUSIVE
    assert found.outcome is not Outcome.PASSED


@pytest.mark.parametrize("told", ["nothing", "begun", "left out"])
def test_a_drill_that_was_not_run_is_no_pass(told: str) -> None:
    """A game day that ended early would otherwise be green for what it left out."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    if told == "begun":
        journal.start("two")
    if told == "left out":
        journal.note("drill-not-run", member="two", why="the line was stopped")

    found = journal.judge("one", "two")

    assert (found.outcome, found.exit_code) == (Outcome.INCONCLUSIVE, 6)
    assert found.drills[1].why


def test_an_aborted_day_is_aborted_whatever_its_drills_were() -> None:
    """Killed after the last drill: somebody must look why."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.note("abort", why="killed", by="sweeper", phase="drills", signal=None)

    found = journal.judge("one")

    assert (found.outcome, found.exit_code) == (Outcome.ABORTED, 7)
    assert found.reason.startswith("aborted: killed")


def test_a_day_that_nobody_looked_after_may_be_dirty() -> None:
    """Without the last record nobody knows whether a fault stands."""
    journal = Journal()
    journal.ran("one", 0, "passed")

    found = judge_gameday(_plan("one"), journal.records)

    assert found.exit_code == 4


@pytest.mark.parametrize(("within", "code", "verdict"), [("4s", 0, "met"), ("3999ms", 1, "missed")])
def test_a_day_that_takes_longer_than_its_budget_is_missed(
    within: str, code: int, verdict: str
) -> None:
    """A short pack that grows is run less and less, and then not at all."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.ran("two", 0, "passed")

    found = journal.judge("one", "two", budget={"within": within})

    [budget] = found.objectives
    assert (found.exit_code, budget.verdict.value) == (code, verdict)
    assert budget.reason.startswith("2 of 2 drills took 4.0 s")
    assert ("gameday.budget missed" in found.reason) == (code == 1)


def test_a_day_cut_short_does_not_stay_short_by_that() -> None:
    """Half of the drills in half of the time."""
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.note("drill-not-run", member="two", why="one failed, which stops the line")

    [budget] = journal.judge("one", "two", budget={"within": "90s"}).objectives

    assert budget.verdict is Verdict.INCONCLUSIVE


FULL_ON_SUNDAYS = {"profile": "full", "schedule": {"cron": "0 3 * * 0"}}


@pytest.mark.parametrize(
    ("own", "other", "verdict"),
    [
        ({}, {}, "met"),
        ({"profile": "full"}, {}, "missed"),  # its drills run in smoke here
        ({}, {"profile": "smoke"}, "missed"),
        ({"schedule": FULL_ON_SUNDAYS["schedule"]}, {}, "missed"),
        ({"schedule": None}, {}, "missed"),
    ],
)
def test_the_short_day_is_not_the_long_one(
    own: dict[str, Any], other: dict[str, Any], verdict: str
) -> None:
    """One schedule for both, and one of them is never run."""
    rules = {"profile": "smoke", "schedule": {"cron": "0 2 * * *"}, "apart": {"from": "long"}} | own
    body = _plan("one", **rules).model_dump(mode="json", by_alias=True)
    plan = GameDayPlan.model_validate(body | {"others": {"long": FULL_ON_SUNDAYS | other}})
    journal = Journal()
    journal.ran("one", 0, "passed")
    journal.note("residue", clean=True, found=[], clocks={})

    [apart] = judge_gameday(plan, journal.records).objectives

    assert apart.verdict.value == verdict, apart.reason
    if verdict == "met":
        assert apart.reason == "1 of 1 drills smoke by `0 2 * * *`; long full by `0 3 * * 0`"
