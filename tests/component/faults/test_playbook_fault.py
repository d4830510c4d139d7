"""Playbook faults: harm, undo and look by playbooks, alone and in whole runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults import load_faults
from fireproof.model.ports import StepContext
from support.scenario import Scenario
from support.steps import step_context

pytestmark = pytest.mark.component

FAULT = load_faults(["playbook"])["playbook"]
HEAD = "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
BREAK = HEAD + "    - copy: {content: '{{ fireproof_expires_s }} {{ word }}', dest: '{{ flag }}'}\n"
MEND = HEAD + "    - file: {path: '{{ flag }}', state: absent}\n"
LOOK = HEAD + (
    "    - stat: {path: '{{ flag }}'}\n      register: seen\n"
    "    - assert: {that: not seen.stat.exists, fail_msg: the flag is there}\n"
)


def soon() -> int:
    return time.monotonic_ns() + 30 * 10**9


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    for name, text in (("break", BREAK), ("mend", MEND), ("look", LOOK)):
        (folder / f"{name}.yml").write_text(text)
    return folder


def context(project: Path, faults: tuple[str, ...] = ("playbook",)) -> StepContext:
    return step_context(project, {"db": {"kind": "x", "faults": list(faults), "word": "boo"}})


def prepared(project: Path, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"playbook": "break.yml", "undo": "mend.yml", "component": "db"}
    body |= {"expires": "90s", "vars": {"flag": str(project / "flag"), "word": "{db.word}"}, **more}
    params = FAULT.params.model_validate(body)
    undo: dict[str, Any] = json.loads(json.dumps(FAULT.prepare(params, context(project))))
    return undo


@pytest.mark.full
def test_harm_look_and_undo_are_the_three_playbooks(project: Path) -> None:
    """The undo works in a bare process; by hand it works as printed."""
    undo = prepared(project, present="look.yml")

    FAULT.apply(undo, context(project))

    assert (project / "flag").read_text() == "90 boo"
    kept = context(project).bag / context(project).outputs
    assert sorted(path.name for path in kept.iterdir()) == ["events.jsonl", "stdout.txt"]
    assert "the flag is there" in (FAULT.present(undo, recovered=False) or "")
    program = (
        "import json, sys, time; from fireproof.faults import load_faults;"
        "undo = json.load(sys.stdin); fault = load_faults([undo['kind']])[undo['kind']];"
        "fault.undo(undo, recovered=False, deadline_ns=time.monotonic_ns() + 3 * 10**10);"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], input=json.dumps(undo), text=True, check=True)
    assert not (project / "flag").exists()
    assert FAULT.present(undo, recovered=False) is None
    assert FAULT.undo(undo, recovered=True, deadline_ns=soon()) == "nothing is left to take back"


def test_the_command_by_hand_is_whole(project: Path) -> None:
    """It is printed when everything else has failed, so it has to work as printed."""
    undo = prepared(project)
    (project / "flag").touch()

    subprocess.run(  # noqa: S602
        FAULT.by_hand(undo),
        shell=True,
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )

    assert not (project / "flag").exists()


@pytest.mark.full
def test_without_a_look_the_undo_is_asked_in_check_mode(project: Path) -> None:
    """REVERTED is written only after something that changes nothing has said so."""
    undo = prepared(project)
    (project / "flag").touch()

    assert "would still change" in (FAULT.present(undo, recovered=False) or "")
    assert (project / "flag").exists()
    FAULT.undo(undo, recovered=False, deadline_ns=soon())
    assert FAULT.present(undo, recovered=False) is None
    (project / "mend.yml").write_text(HEAD + "    - command: 'true'\n")
    assert "add `present:`" in (FAULT.present(undo, recovered=False) or "")


def test_a_playbook_that_fails_or_is_gone_is_never_taken_for_done(project: Path) -> None:
    """A red task is a fault that was not applied, or an undo that was not made."""
    undo = prepared(project)
    (project / "break.yml").write_text(HEAD + "    - fail: {msg: out of order}\n")
    (project / "mend.yml").write_text(HEAD + "    - fail: {msg: no way back}\n")

    with pytest.raises(StepError, match="out of order"):
        FAULT.apply(undo, context(project))
    with pytest.raises(UndoError, match="no way back") as caught:
        FAULT.undo(undo, recovered=False, deadline_ns=soon())
    assert "ansible-playbook" in caught.value.command
    assert "no way back" in (FAULT.present(undo, recovered=False) or "")
    (project / "mend.yml").unlink()
    with pytest.raises(UndoError, match="any more"):
        FAULT.undo(undo, recovered=False, deadline_ns=soon())
    with pytest.raises(UndoError, match="recorded undo"):
        FAULT.undo({"kind": "playbook"}, recovered=False, deadline_ns=soon())


def test_what_is_not_allowed_or_not_there_is_refused(project: Path) -> None:
    """The environment decides; and an undo that does not exist is none."""
    body = {"playbook": "break.yml", "undo": "gone.yml", "component": "db"}
    params = FAULT.params.model_validate(body)
    with pytest.raises(EnvironmentRefusal, match=r"no playbook .*gone\.yml"):
        FAULT.prepare(params, context(project))
    with pytest.raises(EnvironmentRefusal, match="does not allow"):
        FAULT.prepare(params, context(project, ("kill",)))


def drill_of(scenario: Scenario) -> dict[str, Any]:
    """The service is told to answer badly, by playbook."""
    answer = scenario.service / "answer"
    for name, word, more in (("break", "bad", ""), ("mend", "good", "")):
        task = f"    - copy: {{content: {word}, dest: '{answer}'}}\n{more}"
        (scenario.project / f"{name}.yml").write_text(HEAD + task)
    scenario.extra = {"faults": ["playbook"]}
    drill = scenario.drill()
    drill["fault"] = [{"playbook": "break.yml", "undo": "mend.yml", "component": "tiny"}]
    drill["recover"] = [{"playbook": "mend.yml", "timeout": "30s"}]
    return drill


def test_a_drill_with_a_playbook_fault_passes_and_verifies(scenario: Scenario) -> None:
    """A team's own harm is measured and signed like ours."""
    ran = scenario.run(drill_of(scenario))

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert scenario.verify(ran.bundle) == 0
    procedures = json.loads((ran.bundle / "plan.json").read_text())["procedures"]
    assert {"break.yml", "mend.yml"} <= set(procedures)


def test_a_killed_runner_is_undone_by_the_undo_playbook(scenario: Scenario) -> None:
    """Kill -9 in the middle of the breaking playbook, and nothing stays broken."""
    drill = drill_of(scenario)
    text = (scenario.project / "break.yml").read_text()
    slow = "    - ansible.builtin.pause: {seconds: 30}\n"
    (scenario.project / "break.yml").write_text(text + slow)
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    answer = scenario.service / "answer"
    scenario.wait_until(lambda: answer.read_text() == "bad", 20)

    os.kill(runner, signal.SIGKILL)
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert answer.read_text() == "good"
    assert scenario.verify(ran.bundle) == 0


def test_a_missing_undo_playbook_stops_before_the_fault(scenario: Scenario) -> None:
    """Found out after the harm, it would be an outage."""
    drill = drill_of(scenario)
    (scenario.project / "mend.yml").rename(scenario.project / "mended.yml")

    ran = scenario.run(drill)

    assert ran.code == 3, ran.stderr
    assert "mend.yml" in ran.stderr
    assert not list(scenario.evidence.glob("runs/*"))


def test_a_playbook_fault_without_undo_is_an_error_in_its_line(scenario: Scenario) -> None:
    """Harm that nobody can take back is no drill."""
    drill = drill_of(scenario)
    del drill["fault"][0]["undo"]
    words = scenario.write(drill)

    ran = scenario.wait(scenario.call(["check", words[1]]))

    assert ran.code == 2
    assert "fault.0: 'playbook' has no undo; add `undo:`" in ran.stderr
    assert "tiny.yaml:" in ran.stderr
