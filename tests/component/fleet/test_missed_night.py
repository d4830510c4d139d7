"""``fireproof schedule`` with real runs, through nights that nobody ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fireproof.cli.schedule import Runs
from fireproof.cli.schedule_command import scheduled
from fireproof.cli.with_lab import Stops
from fireproof.fleet import Agenda, catch_up
from support.fake_clock import FakeClock
from support.scenario import Scenario

pytestmark = pytest.mark.component
NIGHT = datetime(2026, 11, 9, 3, 0, tzinfo=UTC)


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    one = Scenario(tmp_path)
    try:
        drill = one.drill() | {"schedule": {"cron": "0 3 * * *", "grace": "1h"}}
        one.write(drill)
        yield one
    finally:
        one.close()


def bundles(scenario: Scenario) -> list[dict[str, object]]:
    """Run and outcome of every bundle, each verified first."""
    found = []
    for path in sorted(scenario.evidence.glob("bundles/*/*/*")):
        assert scenario.verify(path) == 0, path
        run = json.loads((path / "run.json").read_text())
        plan = json.loads((path / "plan.json").read_text())
        due = plan["parameters"]["OCCURRENCE"]
        found.append({"due": due, "outcome": run["judgement"]["outcome"]})
    return sorted(found, key=lambda one: str(one["due"]))


def test_a_missed_night_is_sealed_and_the_next_one_runs(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted or never started run must show: the gap itself is evidence."""
    monkeypatch.chdir(scenario.project)
    for name, value in scenario.environ.items():
        monkeypatch.setenv(name, value)
    (entry,) = scheduled((Path("drills/tiny.yaml"),), "desk.yaml")
    agenda = Agenda(scenario.evidence / "schedule", entry.key)
    clock = FakeClock(NIGHT - timedelta(hours=4))

    with Stops() as stops, Runs(scenario.evidence, stops) as runs:
        runs.hold(agenda)
        assert catch_up(entry, agenda, clock, runs) is None  # the first look promises
        clock.time = NIGHT + timedelta(days=2, minutes=10)  # two nights later, ten past three
        assert catch_up(entry, agenda, clock, runs) == 0
        assert catch_up(entry, agenda, clock, runs) is None  # nothing is due twice

    assert bundles(scenario) == [
        {"due": (NIGHT + timedelta(days=n)).isoformat(), "outcome": outcome}
        for n, outcome in enumerate(["missed-run", "missed-run", "passed"])
    ]


def test_asked_again_after_a_kill_nothing_is_sealed_twice(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agenda is older than the bundle when the scheduler dies between the two."""
    monkeypatch.chdir(scenario.project)
    (entry,) = scheduled((Path("drills/tiny.yaml"),), "desk.yaml")

    with Stops() as stops, Runs(scenario.evidence, stops) as runs:
        runs.miss(entry, NIGHT, "nobody ran it within its grace")
        runs.miss(entry, NIGHT, "nobody ran it within its grace")

    assert bundles(scenario) == [{"due": NIGHT.isoformat(), "outcome": "missed-run"}]


def test_a_run_elsewhere_is_no_run_here(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One drill on two systems: the run of the one would hide the gap of the other."""
    monkeypatch.chdir(scenario.project)
    desk = yaml.safe_load(Path("desk.yaml").read_text())
    Path("other.yaml").write_text(yaml.safe_dump(desk | {"environment": "other"}))
    (here,) = scheduled((Path("drills/tiny.yaml"),), "desk.yaml")
    (there,) = scheduled((Path("drills/tiny.yaml"),), "other.yaml")

    with Stops() as stops, Runs(scenario.evidence, stops) as runs:
        runs.miss(here, NIGHT, "nobody ran it within its grace")
        began = [runs.began(one, NIGHT) for one in (here, there)]

    assert began == [True, False]
    assert here.key != there.key


def test_the_command_catches_up_and_says_what_was_missed(scenario: Scenario) -> None:
    """What a timer calls; its first call comes too late for the newest, and notes the time."""
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    cron = f"{two_hours_ago.minute} {two_hours_ago.hour} * * *"
    scenario.write(scenario.drill() | {"schedule": {"cron": cron, "grace": "1h"}})
    command = ["schedule", "run", "--once", "-e", "desk.yaml"]
    first = scenario.wait(scenario.call(command))
    agenda = Agenda(scenario.evidence / "schedule", "drill-tiny--desk")
    known = agenda.read()
    assert known is not None
    agenda.write(known[0] - timedelta(hours=25), None)

    second = scenario.wait(scenario.call(command))

    assert first.code == 0
    assert "drill-tiny--desk: no agenda yet; every occurrence from" in first.stderr
    assert second.code == 0
    assert "missed: nobody ran it within its grace" in second.stderr
    assert [one["outcome"] for one in bundles(scenario)] == ["missed-run"]


@pytest.mark.full
def test_a_first_call_in_time_runs_and_a_second_does_not_repeat_it(scenario: Scenario) -> None:
    """A fresh timer's first occurrence is one, and its agenda may be lost behind it."""
    today = datetime.now(UTC) - timedelta(minutes=2)
    due = today.replace(second=0, microsecond=0)
    scenario.write(scenario.drill() | {"schedule": {"cron": f"{due.minute} {due.hour} * * *"}})
    command = ["schedule", "run", "--once", "drills/tiny.yaml", "-e", "desk.yaml"]

    first = scenario.wait(scenario.call(command))
    Agenda(scenario.evidence / "schedule", "drill-tiny--desk").path.unlink()
    second = scenario.wait(scenario.call(command))

    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert bundles(scenario) == [{"due": due.isoformat(), "outcome": "passed"}]


def test_a_schedule_that_never_fires_is_an_error_with_its_place(scenario: Scenario) -> None:
    """Else nobody would notice that the drill never runs."""
    scenario.write(scenario.drill() | {"schedule": {"cron": "0 0 30 2 *"}})

    done = scenario.wait(scenario.call(["check", "drills/tiny.yaml"]))

    assert done.code == 2
    assert "schedule.cron" in done.stderr
    assert "never fires" in done.stderr
