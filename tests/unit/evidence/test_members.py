"""A game day's bundles are compared with what the day says of them, whoever signed both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fireproof.evidence import StepReport, VerificationReport, canonical_bytes, verify_members
from fireproof.model.record import Record

DIGEST = "a" * 64


def _record(kind: str, at_ns: int, **data: Any) -> Record:
    return Record(0, "x", at_ns, kind, data, "", "")


def _write(folder: Path, plan: dict[str, Any], run: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(canonical_bytes(plan))
    (folder / "run.json").write_bytes(canonical_bytes(run))


def _run(name: str, **judgement: Any) -> dict[str, Any]:
    return {
        "format": "fireproof-run/v1",
        "run": name,
        "sealed_at": "2026-03-02T04:05:06Z",
        "plan_sha256": DIGEST,
        "environment_record": {},
        "judgement": {"outcome": "passed", "exit_code": 0, "objectives": [], "checks": []}
        | judgement,
    }


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A game day of one drill in the month of March, and the drill's bundle in February."""
    drill = {
        "name": "one",
        "drill": "small",
        "run": "run-one",
        "verdict": "met",
        "outcome": "passed",
        "exit_code": 0,
        "identity": DIGEST,
    }
    member = {"created_at": "x", "environment": {"environment": "lab"}, "run": "run-one"}
    _write(
        tmp_path / "2026" / "02" / "run-one",
        member | {"drill": {"drill": "small"}},
        _run("run-one"),
    )
    plan = member | {"run": "run-day", "gameday": {"gameday": "day"}}
    run = _run("run-day", drills=[drill])
    folder = tmp_path / "2026" / "03" / "run-day"
    _write(
        folder,
        plan | {"format": "fireproof-gameday-plan/v1"},
        run | {"format": "fireproof-gameday-run/v1"},
    )
    return folder


def _verify(**changes: Any) -> Callable[[Path], VerificationReport]:
    steps = (StepReport("structure", True, ""),)
    facts = {"run": "run-one", "identity": DIGEST, "outcome": "passed", "steps": steps} | changes
    return lambda folder: VerificationReport(folder, **facts)


def _journals(*, boot: str = "x", drill: tuple[int, int] = (20, 30)) -> Callable[..., Any]:
    def read(path: Path) -> Sequence[Record]:
        if path.parts[-3] == "run-day":
            return [
                _record("open", 5, boot_id="x"),
                _record("drill-start", 10, member="one"),
                _record("drill-end", 40, member="one", after_ns=40),
            ]
        return [_record("open", drill[0], boot_id=boot), _record("residue", drill[1])]

    return read


def _problems(day: Path, verify: Any = None, journals: Any = None) -> tuple[str, ...]:
    return verify_members(day, verify or _verify(), journals or _journals()).step.problems


def test_a_drills_bundle_in_the_same_store_is_found_and_agrees(day: Path) -> None:
    """A game day over midnight of the last of the month has its drills in another folder."""
    report = verify_members(day, _verify(), _journals())

    assert report.step.ok, report.step.problems
    assert [bundle.run for bundle in report.bundles] == ["run-one"]


def test_another_bundle_under_the_same_run_is_noticed(day: Path) -> None:
    """Whoever has the key could seal the run again with better numbers."""
    assert _problems(day, _verify(identity="b" * 64)) == (
        f"one: its bundle is another one: expected {DIGEST}, got {'b' * 64}",
    )
    assert _problems(day, _verify(outcome="failed")) == (
        "one: its bundle says 'failed', the game day 'passed'",
    )


def test_a_bundle_of_another_drill_or_with_a_worse_code_is_noticed(day: Path) -> None:
    """The outcome of the day follows from the codes; they must be the bundles' own."""
    place = day.parents[1] / "02" / "run-one"
    plan = {
        "created_at": "x",
        "environment": {"environment": "lab"},
        "run": "run-one",
        "drill": {"drill": "other"},
    }
    (place / "plan.json").write_bytes(canonical_bytes(plan))
    (place / "run.json").write_bytes(canonical_bytes(_run("run-one", exit_code=1)))

    assert _problems(day) == (
        "one: its bundle is of drill 'other', not of 'small'",
        "one: its bundle has code 1, the game day 0",
    )


@pytest.mark.parametrize("times", [(9, 30), (20, 41)])
def test_a_drill_outside_its_place_on_the_timeline_is_noticed(
    day: Path, times: tuple[int, int]
) -> None:
    """Last week's good run is not this game day's."""
    assert _problems(day, journals=_journals(drill=times)) == (
        "one: it does not lie between the game day's records of it",
    )
    assert _problems(day, journals=_journals(boot="y")) == (
        "one: it ran on another boot of the machine than the game day",
    )


def test_a_bundle_that_does_not_hold_is_a_problem_of_the_day(day: Path) -> None:
    """It names the first thing that is wrong."""
    bad = (StepReport("digests", False, "", ("data/x: changed",)),)

    assert _problems(day, _verify(steps=bad)) == ("one: its bundle does not hold: data/x: changed",)


def test_a_run_id_is_no_path(day: Path) -> None:
    """A hostile game day must not make the verifier look elsewhere."""
    text = (day / "run.json").read_text().replace('"run":"run-one"', '"run":"../../x"')
    (day / "run.json").write_text(text)

    assert _problems(day) == ("one: its bundle ../../x is not beside this one",)
