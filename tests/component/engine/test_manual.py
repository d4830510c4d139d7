"""Manual steps: a person says that it is done, in a role, in time; or the step has failed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component


def drill(scenario: Scenario, **manual: Any) -> dict[str, Any]:
    step = {"manual": "Look at the board", "role": "operator", "timeout": "20s", "title": "seen"}
    body = scenario.drill() | {
        "roles": {"operator": "looks", "observer": "keeps the time"},
        "objectives": {"seen": {"checks": ["seen"]}},
        "baseline": {"for": "10ms"},
        "verify": [step | manual],
    }
    del body["fault"], body["recover"], body["probes"]
    return body


def begin(scenario: Scenario, body: dict[str, Any]) -> subprocess.Popen[str]:
    """A run without a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "fireproof", *scenario.write(body)],
        cwd=scenario.project,
        env=scenario.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def waiting(scenario: Scenario) -> str:
    """Id of the run that waits for somebody."""
    found = scenario.wait_until(
        lambda: list(scenario.evidence.glob("runs/*/acknowledge/verify-00")), 30
    )
    return str(found[0].parent.parent.name)


def acknowledge(scenario: Scenario, *words: str) -> Ran:
    return scenario.wait(scenario.call(["acknowledge", *words]))


def observed(ran: Ran) -> str:
    lines = (ran.bundle / "data" / "journal.jsonl").read_text().splitlines()
    checks = [json.loads(line)["data"] for line in lines if '"kind":"check"' in line]
    return str(next(check["observed"] for check in checks if check["name"] == "seen"))


def test_somebody_elsewhere_acknowledges_in_their_role(scenario: Scenario) -> None:
    """The operator sits at another machine's terminal; the journal must say who and when."""
    child = begin(scenario, drill(scenario, acknowledge="done.txt"))
    run = waiting(scenario)

    assert acknowledge(scenario, run).stdout == f"run {run} waits for: verify-00 (as operator)\n"
    stranger = acknowledge(scenario, run, "verify-00", "--as", "observer")
    assert (stranger.code, "is for role 'operator'" in stranger.stderr) == (2, True)
    elsewhere = acknowledge(scenario, run, "verify-01", "--as", "operator")
    assert (elsewhere.code, "it waits for: verify-00" in elsewhere.stderr) == (2, True)
    assert acknowledge(scenario, run, "verify-00", "--as", "operator").code == 0
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert f"fireproof acknowledge {run} verify-00 --as operator" in ran.stderr
    assert observed(ran).startswith("as operator by fireproof acknowledge at 20")
    assert not (scenario.evidence / "runs" / run / "acknowledge").exists()
    assert scenario.verify(ran.bundle) == 0


@pytest.mark.full
def test_a_file_of_this_run_acknowledges_and_an_old_one_does_not(scenario: Scenario) -> None:
    """Last quarter's file would otherwise acknowledge what nobody has done yet."""
    done = scenario.project / "signals" / "done.txt"
    done.parent.mkdir()
    done.write_text("operator\n")
    child = begin(scenario, drill(scenario, acknowledge="signals/done.txt"))
    waiting(scenario)
    time.sleep(0.3)
    assert child.poll() is None
    done.write_text("operator at the board\n")
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert "by file done.txt" in observed(ran)


@pytest.mark.full
def test_nobody_in_time_is_a_failed_step(scenario: Scenario) -> None:
    """And somebody in another role is nobody."""
    child = begin(scenario, drill(scenario, acknowledge="done.txt", timeout="1500ms"))
    waiting(scenario)
    (scenario.project / "done.txt").write_text("observer\n")
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert observed(ran).startswith("nothing within 1.5")
    assert "as 'observer', which is not the role" in observed(ran)


def test_without_a_terminal_or_a_file_nothing_is_broken(scenario: Scenario) -> None:
    """Found out after the fault, the service would stand broken until the step's time was up."""
    ran = scenario.wait(begin(scenario, drill(scenario)))

    assert ran.code == 3
    assert "there is no terminal to acknowledge it at, and it names no file" in ran.stderr
    assert ran.result is None


def test_a_word_typed_at_the_terminal_acknowledges(scenario: Scenario) -> None:
    """Only the role's word does: somebody leaning on Enter has not looked at the board."""
    words = [sys.executable, "-m", "fireproof", *scenario.write(drill(scenario))]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(scenario.project)
        os.execve(words[0], words, scenario.environ)  # noqa: S606 - a terminal of its own
    shown = b""
    typed = [b"\n", b"yes\n", b"operator\n"]
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        block = b""
        with contextlib.suppress(OSError):  # its other end is closed: the run has ended
            block = os.read(terminal, 4096) if ready else b"-"
        if not block:
            break
        shown += block if ready else b""
        if b"Type operator and Enter: " in shown and typed:
            os.write(terminal, typed.pop(0))
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 0, shown.decode()
    result = scenario.last_result()
    assert result is not None
    assert "as operator by typed word at 20" in observed(Ran(0, "", "", result))
