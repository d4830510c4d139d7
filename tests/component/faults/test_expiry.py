"""The expiry of a pause: on the target, outside everybody's tree, and gone when it is done."""

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

from component.faults.conftest import Server
from fireproof import expiry
from fireproof.errors import StepError
from fireproof.faults import load_faults
from fireproof.faults.server import is_stopped, tree_of, wait_until
from fireproof.processes import ProcessId, descendants, identify, kill_tree
from support.scenario import Scenario

pytestmark = pytest.mark.component

PAUSE = load_faults(["pause"])["pause"]


def soon(within_s: float = 10) -> int:
    return time.monotonic_ns() + int(within_s * 1e9)


def keepers() -> set[int]:
    """Processes that hold an expiry, or wait for one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"fireproof.expiry" in words:
                found.add(int(entry.name))
    return found


def armed(token: str) -> bool:
    return f"@fireproof-expiry-{token}" in Path("/proc/net/unix").read_text()


def prepared(server: Server, **more: Any) -> dict[str, Any]:
    params = PAUSE.params.model_validate({"pause": "db", **more})
    undo: dict[str, Any] = json.loads(json.dumps(PAUSE.prepare(params, server.context)))
    return undo


def test_a_pause_ends_by_itself(server: Server) -> None:
    """Runner, guardian and sweeper may all be gone with the terminal they ran in."""
    before = keepers()
    who = server.now()
    assert who is not None
    tree = tree_of(who)
    undo = prepared(server, expires="500ms")

    PAUSE.apply(undo, server.context)

    assert all(map(is_stopped, tree))
    assert armed(undo["expiry"])
    assert wait_until(lambda: not any(map(is_stopped, tree)), deadline_ns=soon())
    assert not armed(undo["expiry"])
    assert wait_until(lambda: keepers() <= before, deadline_ns=soon())
    assert PAUSE.undo(undo, recovered=False, deadline_ns=soon()) == "db is running"


def test_an_undo_calls_the_expiry_off(server: Server) -> None:
    """Nothing is left of the drill, not even a process that waits."""
    before = keepers()
    undo = prepared(server, expires="10m")
    PAUSE.apply(undo, server.context)
    assert armed(undo["expiry"])

    PAUSE.undo(undo, recovered=False, deadline_ns=soon())

    assert not armed(undo["expiry"])
    assert wait_until(lambda: keepers() <= before, deadline_ns=soon())
    assert expiry.cancel(undo["expiry"]) is False


def test_without_an_expiry_nothing_is_stopped(server: Server) -> None:
    """Arming comes first, and a harm that nobody would end is not done."""
    undo = prepared(server, expires="10m")
    who = server.now()
    assert who is not None
    expiry.arm(undo["expiry"], [who], 60)  # the name is taken
    try:
        with pytest.raises(StepError, match="nothing was stopped"):
            PAUSE.apply(undo, server.context)
    finally:
        assert expiry.cancel(undo["expiry"])

    assert not is_stopped(who)


def test_an_expiry_whose_processes_are_gone_waits_for_nobody(server: Server) -> None:
    """A recovery that replaced the server leaves nothing to continue."""
    undo = prepared(server, expires="10m")
    PAUSE.apply(undo, server.context)
    who = server.now()
    assert who is not None

    kill_tree(who.pid)

    assert wait_until(lambda: not armed(undo["expiry"]), deadline_ns=soon(5))


def test_a_reused_pid_is_left_alone() -> None:
    """Ten minutes later the number may be somebody else's, stopped on purpose."""
    with subprocess.Popen(["sleep", "1000"]) as other:
        os.kill(other.pid, signal.SIGSTOP)
        who = identify(other.pid)
        assert who is not None
        assert wait_until(lambda: is_stopped(who), deadline_ns=soon())
        expiry.arm("reused", [ProcessId(other.pid, 1)], 0.1)
        assert wait_until(lambda: not armed("reused"), deadline_ns=soon())
        time.sleep(0.1)
        still = is_stopped(who)
        other.kill()

    assert still


def test_a_pause_ends_though_runner_and_guardian_are_killed(scenario: Scenario) -> None:
    """Ring 2: nobody is left who could undo it, and still the service comes back."""
    drill = scenario.drill()
    drill["fault"] = [{"pause": "tiny", "expires": "3s"}]
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "3s"}]
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    undo = scenario.wait_for_record("intent")["data"]["undo"]
    scenario.wait_for_record("injected")
    who = identify(scenario.pid)
    assert who is not None
    assert is_stopped(who)
    below = descendants(child.pid)
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    child.kill()
    child.communicate()
    assert is_stopped(who)

    back = wait_until(lambda: not is_stopped(who), deadline_ns=soon())

    assert back
    assert runner in below
    assert not armed(undo["expiry"])
    ran = scenario.wait(scenario.call(["recover"]))
    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr


def test_a_run_leaves_no_keeper_behind(scenario: Scenario) -> None:
    """A process a drill would fill a host in a year."""
    program = (
        "import sys, os; from fireproof import expiry; start = expiry.start_keeper\n"
        "def noted():\n    start(); open('keeper', 'w').write('started')\n"
        "expiry.start_keeper = noted\n"
        "from fireproof.__main__ import main; sys.exit(main())\n"
    )
    drill = scenario.drill()
    drill["fault"] = [{"pause": "tiny", "expires": "1m"}]
    drill["recover"] = [{"process": ["kill", "-CONT", str(scenario.pid)], "timeout": "5s"}]
    before = _forks_of(program)
    done = subprocess.run(
        [sys.executable, "-c", program, *scenario.write(drill)],
        cwd=scenario.project,
        env=scenario.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (scenario.project / "keeper").exists(), done.stderr
    assert wait_until(lambda: _forks_of(program) == before, deadline_ns=soon())


def _forks_of(program: str) -> set[int]:
    """Processes that run this program, forks included: their command line is the same."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if program.encode() in words:
                found.add(int(entry.name))
    return found
