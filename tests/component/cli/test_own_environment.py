"""The rails of an environment file, held by the real command against a real service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.approver import make_approver
from support.scenario import Scenario
from support.terminal import Terminal

pytestmark = pytest.mark.component


class Placed(Scenario):
    """The tiny service in an environment of the test's choice."""

    place: dict[str, Any]

    def environment(self) -> dict[str, Any]:
        body = super().environment()
        place = dict(getattr(self, "place", {}))
        body["components"]["tiny"] |= place.pop("tiny", {})
        if body["components"]["tiny"].get("control", "") is None:
            del body["components"]["tiny"]["control"]
        return body | place


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Placed]:
    made = Placed(tmp_path)
    try:
        yield made
    finally:
        made.close()


def _refused(scenario: Placed, *words: str, drill: dict[str, Any] | None = None) -> str:
    before = scenario.pid

    child = scenario.call([*scenario.write(drill), *words])
    _, stderr = child.communicate(timeout=60)

    assert child.returncode == 3, stderr
    assert "Traceback" not in stderr
    assert scenario.pid == before, "the system was touched"
    assert not list(scenario.evidence.glob("runs/*")), "a refused run leaves nothing"
    return stderr


def test_production_needs_its_components_and_its_name(scenario: Placed) -> None:
    """One wrong -e at a prompt must not be an outage."""
    scenario.place = {"class": "production"}

    said = _refused(scenario)
    assert "name what will be broken: --confirm tiny" in said
    assert "asks for 1 approval of exactly this plan" in said
    _approve(scenario)
    assert "there is no terminal" in _refused(scenario, "--confirm", "tiny")
    assert "typed 'dusk', expected 'desk'" in _refused(
        scenario, "--confirm", "tiny", "--typed", "dusk"
    )
    ran = scenario.wait(scenario.call([*scenario.write(), "--confirm", "tiny", "--typed", "desk"]))
    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr


def _approve(scenario: Placed) -> None:
    _, drill, _, place = scenario.write()
    key = make_approver(scenario.evidence, "owner")
    child = scenario.call(["approve", drill, "-e", place, "--key", str(key)])
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 0, stderr


def _at_a_terminal(scenario: Placed, answer: str) -> tuple[int, str]:
    """Exit code and screen of a run in a terminal of its own, with one line typed."""
    terminal = Terminal([*scenario.write(), "--confirm", "tiny"], scenario)
    terminal.wait_for("Type its name")
    terminal.type(answer + "\n")
    return terminal.end(), terminal.seen


@pytest.mark.full
def test_the_name_is_read_from_the_terminal(scenario: Placed) -> None:
    """People type; scripts pass --typed."""
    scenario.place = {"class": "production"}
    _approve(scenario)

    code, seen = _at_a_terminal(scenario, "desk")
    assert code == 0, seen
    assert "desk is production. tiny will break tiny there." in seen

    code, seen = _at_a_terminal(scenario, "yes")
    assert code == 3, seen
    assert "typed 'yes', expected 'desk'" in seen


def test_a_freeze_window_holds(scenario: Placed) -> None:
    """Nobody rehearses an outage while the books are closed."""
    scenario.place = {
        "freeze": [{"from": "2020-01-01", "until": "2999-01-01", "because": "books close"}]
    }

    assert "frozen from 2020-01-01 until 2999-01-01: books close" in _refused(scenario)


def test_what_is_not_allowed_is_refused_with_its_place(scenario: Placed) -> None:
    """The environment is written by whoever owns the system, the drill perhaps by another."""
    scenario.place = {"tiny": {"faults": ["pause"]}}

    said = _refused(scenario)

    assert "drills/tiny.yaml:" in said
    assert "fault.0.kill: 'kill' is not allowed on 'tiny' in environment 'desk'" in said


def test_without_host_access_only_a_scratch_restore_is_left(scenario: Placed) -> None:
    """A DSN alone gives no way to take anything back."""
    scenario.place = {"tiny": {"control": None, "faults": ["kill", "declare-lost"]}}

    for command in (["check", "drills", "-e", "desk.yaml"], ["plan", "drills/tiny.yaml"]):
        scenario.write()
        words = command if command[0] == "check" else [*command, "-e", "desk.yaml"]
        child = scenario.call(words)
        stdout, stderr = child.communicate(timeout=60)
        assert child.returncode in (2, 3), stdout
        assert "drills/tiny.yaml:" in stderr
        assert "external DSN without host access permits restore-to-scratch only" in stderr
    _refused(scenario)

    before = scenario.pid
    drill = scenario.drill()
    drill |= {
        "objectives": {"content": {"checks": ["restored"]}},
        "fault": [{"declare-lost": "tiny"}],
        "recover": [{"process": ["mkdir", "scratch"], "timeout": "5s"}],
        "verify": [{"process": ["test", "-d", "scratch"], "title": "restored", "timeout": "5s"}],
    }
    ran = scenario.run(drill)
    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert scenario.pid == before, "nothing was harmed"
    assert scenario.verify(ran.bundle) == 0


def test_the_terminal_is_not_asked_by_check(scenario: Placed) -> None:
    """Looking for mistakes in production's files breaks nothing, and asks nothing."""
    scenario.place = {"class": "production"}
    scenario.write()

    child = subprocess.run(
        [sys.executable, "-m", "fireproof", "plan", "drills/tiny.yaml", "-e", "desk.yaml"],
        cwd=scenario.project,
        env=scenario.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert child.returncode == 0, child.stderr
    assert "to run it  --confirm tiny" in child.stdout
