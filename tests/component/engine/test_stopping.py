"""``fireproof stop``, ``stop --all`` and ``unblock`` against real runs of a real service."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component


def long_drill(scenario: Scenario) -> dict[str, Any]:
    """Half a minute of recovery: time to be stopped in."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
    return drill


def say(scenario: Scenario, *words: str) -> Ran:
    return scenario.wait(scenario.call(list(words)))


def block_of(scenario: Scenario) -> Path:
    return scenario.service / "leases" / "block.json"


def test_a_stopped_run_is_undone_sealed_and_says_who(scenario: Scenario) -> None:
    """Somebody at another terminal sees the outage spread, and nobody knows the pid."""
    child = scenario.start(long_drill(scenario))
    run = scenario.wait_for_record("open")["data"]["run"]
    scenario.wait_for_record("injected")

    stopped = say(scenario, "stop", "--why", "payday")
    ran = scenario.wait(child)

    assert stopped.code == 0, stopped.stderr
    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert stopped.stdout.startswith(f"{run} (tiny on ")
    assert "ABORTED  aborted in recover by operator: stopped by " in stopped.stdout
    assert ": payday; every fault taken back" in stopped.stdout
    assert scenario.answers()
    assert scenario.verify(ran.bundle) == 0
    assert say(scenario, "stop").stderr == "nothing is running\n"
    again = say(scenario, "stop", run)
    assert (again.code, "ABORTED" in again.stdout) == (0, True)


@pytest.mark.full
def test_before_the_fault_a_stop_leaves_the_system_untouched(scenario: Scenario) -> None:
    """Exit 3 keeps its meaning."""
    child = scenario.start(scenario.drill() | {"baseline": {"for": "30s"}})
    scenario.wait_for_record("probe-start")
    before = scenario.pid

    say(scenario, "stop")
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (3, "aborted"), ran.stderr
    assert scenario.pid == before


@pytest.mark.full
def test_of_several_runs_one_is_named(scenario: Scenario) -> None:
    """Stopping the wrong one would be an abort nobody asked for."""
    scenario.others = {"other": {"kind": "http", "faults": ["declare-lost"]}}
    second_drill = scenario.drill() | {"drill": "second", "components": ["other"]}
    second_drill |= {"fault": [{"declare-lost": "other"}], "baseline": {"for": "30s"}}
    first = scenario.start(scenario.drill() | {"baseline": {"for": "30s"}})
    second = scenario.start(second_drill)
    scenario.wait_until(
        lambda: len(list(scenario.evidence.glob("runs/*/bag/data/samples"))) == 2, 20
    )

    asked = say(scenario, "stop")
    runs = sorted(path.name for path in scenario.evidence.glob("runs/*"))
    named = say(scenario, "stop", runs[0])

    assert asked.code == 2
    assert all(f"fireproof stop {run}" in asked.stderr for run in runs)
    assert named.code == 0
    assert sorted(child.poll() is None for child in (first, second)) == [False, True]
    say(scenario, "stop")
    for child in (first, second):
        child.communicate(timeout=30)


@pytest.mark.full
def test_stop_all_ends_every_run_and_lets_none_begin(scenario: Scenario) -> None:
    """In an incident one command makes sure that no schedule makes it worse."""
    (scenario.project / "drills" / "gamedays").mkdir(parents=True)
    gameday = scenario.project / "drills" / "gamedays" / "day.yaml"
    gameday.write_text(yaml.safe_dump({"gameday": "day", "title": "A day", "drills": ["tiny"]}))
    child = scenario.start(long_drill(scenario))
    scenario.wait_for_record("injected")

    stopped = say(scenario, "stop", "--all", "--why", "a real outage")
    ran = scenario.wait(child)

    assert (stopped.code, ran.code) == (0, 7), stopped.stderr
    assert "drills are blocked by " in stopped.stderr
    starts = [
        scenario.write(),
        [*scenario.write(), "--with-lab"],
        ["gameday", str(gameday), "-e", "desk.yaml"],
        ["gameday", str(gameday)],
    ]
    for words in starts:
        refused = say(scenario, *words)
        assert refused.code == 3, words
        assert "a real outage; once that is over: fireproof unblock" in refused.stderr
        assert "nothing was run" in refused.stderr
    assert len(list(scenario.evidence.glob("runs/*"))) == 1
    assert "drills are blocked by " in say(scenario, "doctor").stdout
    lifted = say(scenario, "unblock")
    assert (lifted.code, "a real outage" in lifted.stdout) == (0, True)
    assert say(scenario, "unblock").stderr == "drills are not blocked\n"
    assert scenario.run().code == 0


@pytest.mark.parametrize(
    "what",
    ["rubbish", *(pytest.param(w, marks=pytest.mark.full) for w in ("a folder", "a link"))],
)
def test_a_block_that_cannot_be_read_blocks(scenario: Scenario, what: str) -> None:
    """Whoever wrote it meant something."""
    block = block_of(scenario)
    block.parent.mkdir()
    if what == "rubbish":
        block.write_text("{")
    elif what == "a folder":
        block.mkdir()
    else:
        block.symlink_to("nowhere")

    ran = say(scenario, *scenario.write())

    assert ran.code == 3
    assert "block.json cannot be read" in ran.stderr
    assert not scenario.evidence.exists()


@pytest.mark.full
def test_a_run_that_is_just_starting_is_stopped_too(scenario: Scenario) -> None:
    """A block written after the run looked: its guardian looks again, for as long as it lives."""
    child = scenario.start(long_drill(scenario))
    scenario.wait_for_record("injected")

    block_of(scenario).write_text(json.dumps({"who": "x", "at": "now", "why": "late"}))
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert "stopped by x at now: late" in ran.stderr


@pytest.mark.full
def test_a_run_whose_processes_were_killed_is_not_called_stopped(scenario: Scenario) -> None:
    """Its fault still stands; "nothing is running" would be true, and a lie."""
    child = scenario.start(long_drill(scenario))
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    child.kill()
    child.communicate()

    stopped = say(scenario, "stop", "--all")

    assert stopped.code == 4
    assert "A FAULT MAY STILL STAND; now: fireproof recover" in stopped.stdout
    assert say(scenario, "recover").code == 7
    assert say(scenario, "stop").stderr == "nothing is running\n"
