"""A step that changes the system takes it back as a fault does: also when its runner dies."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireproof.guard.heartbeat import HANG_S, SLACK_S
from support.scenario import Scenario

pytestmark = pytest.mark.component


def playbook(scenario: Scenario, name: str, *argv: str) -> str:
    """A playbook of one command."""
    command = {"ansible.builtin.command": {"argv": list(argv)}, "changed_when": False}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [command]}
    (scenario.project / f"{name}.yml").write_text(yaml.safe_dump([play]))
    return f"{name}.yml"


def dropping(scenario: Scenario) -> dict[str, Any]:
    """A drill without a fault, whose step leaves a file in the service's folder, and sleeps."""
    scenario.extra["faults"] = ["kill", "pause", "playbook"]
    mark = str(scenario.service / "dropped")
    return {
        "playbook": playbook(scenario, "drop", "sh", "-c", f"touch {mark}; sleep 1"),
        "undo": playbook(scenario, "pick-up", "rm", "-f", mark),
        "present": playbook(scenario, "look", "sh", "-c", f"test ! -e {mark}"),
        "component": "tiny",
        "timeout": "20s",
    }


def with_step(scenario: Scenario, step: dict[str, Any]) -> dict[str, Any]:
    drill = scenario.drill() | {"objectives": {"answers": {"checks": ["it answers"]}}}
    answers = {"title": "it answers", "http": "{tiny.url}/", "status": 200, "timeout": "5s"}
    drill |= {"recover": [step], "verify": [answers], "baseline": {"for": "100ms"}}
    del drill["fault"]
    return drill


def journal(bundle: Path) -> list[dict[str, Any]]:
    lines = (bundle / "data" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_what_a_step_left_is_taken_back_at_the_end(scenario: Scenario) -> None:
    """Its undo is durable before it begins, and injects nothing: no clock starts with it."""
    ran = scenario.run(with_step(scenario, dropping(scenario)))

    assert ran.code == 0, ran.stderr
    assert not (scenario.service / "dropped").exists()
    kinds = [record["kind"] for record in journal(ran.bundle)]
    start = kinds.index("step-start")
    assert kinds[start : start + 3] == ["step-start", "intent", "step-end"]
    assert "injected" not in kinds
    assert "reverted" in kinds
    assert scenario.verify(ran.bundle) == 0


def test_what_a_killed_step_left_is_taken_back_by_the_recovery(scenario: Scenario) -> None:
    """Nobody else would know that there is something to take back."""
    child = scenario.start(with_step(scenario, dropping(scenario)))
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_until((scenario.service / "dropped").exists, 20)
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    child.kill()
    child.communicate()

    ran = scenario.wait(scenario.call(["recover"]))

    assert ran.code == 7, ran.stderr
    assert not (scenario.service / "dropped").exists()


@pytest.mark.full
def test_an_undo_that_takes_its_time_is_no_hang(scenario: Scenario) -> None:
    """A drill without a fault allowed its runner no time to undo; the guardian ended it midway."""
    step = dropping(scenario)
    slow = f"sleep {SLACK_S + HANG_S + 2}; rm {scenario.service}/dropped"
    step["undo"] = playbook(scenario, "pick-up", "sh", "-c", slow)
    child = scenario.start(with_step(scenario, step))
    ran = scenario.wait(child, timeout_s=120)

    assert ran.code == 0, ran.stderr
    assert not (scenario.service / "dropped").exists()


def test_an_undo_of_half_its_words_is_no_undo(scenario: Scenario) -> None:
    """All problems at once, before anything runs."""
    step = dropping(scenario)
    del step["present"]

    ran = scenario.run(with_step(scenario, step))

    assert ran.code == 2
    assert "add `present:`" in ran.stderr


def test_a_step_with_an_undo_needs_leave_for_its_harm(scenario: Scenario) -> None:
    """An environment that allows no playbook fault allows no harm by a step either."""
    drill = with_step(scenario, dropping(scenario))
    scenario.extra["faults"] = ["kill"]

    ran = scenario.run(drill)

    assert ran.code in (2, 3)
    assert "'playbook' is not allowed on 'tiny'" in ran.stderr
    assert not (scenario.service / "dropped").exists()
