"""kill and pause on a real process with children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from component.faults.conftest import Server, place
from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults import load_faults
from fireproof.faults.server import is_stopped, tree_of, wait_until
from fireproof.processes import identify, is_alive

pytestmark = pytest.mark.component

FAULTS = load_faults(["kill", "lose-data-directory", "pause"])  # of a server under control


def soon() -> int:
    return time.monotonic_ns() + 10 * 10**9


def prepared(server: Server, kind: str, **more: Any) -> dict[str, Any]:
    """The undo as it comes back from the journal: through JSON, without any of our objects."""
    params = FAULTS[kind].params.model_validate({kind: "db", **more})
    undo: dict[str, Any] = json.loads(json.dumps(FAULTS[kind].prepare(params, server.context)))
    return undo


def test_kill_ends_the_server_with_its_children_and_undo_starts_it(server: Server) -> None:
    """A half-dead server would answer half the questions."""
    before = server.now()
    assert before is not None
    tree = tree_of(before)
    undo = prepared(server, "kill")

    FAULTS["kill"].apply(undo, server.context)

    assert len(tree) == 3
    assert not [who for who in tree if is_alive(who)]
    assert "does not run" in (FAULTS["kill"].present(undo, recovered=False) or "")
    assert FAULTS["kill"].undo(undo, recovered=False, deadline_ns=soon()) == "started db"
    assert FAULTS["kill"].present(undo, recovered=False) is None
    again = FAULTS["kill"].undo(undo, recovered=True, deadline_ns=soon())
    assert again == "db is already running"


def test_kill_may_be_an_orderly_end(server: Server) -> None:
    """SIGTERM tests another path than SIGKILL: the one that deployments take."""
    undo = prepared(server, "kill", signal="TERM")

    assert "by SIGTERM" in FAULTS["kill"].apply(undo, server.context)
    assert server.now() is None


def test_pause_stops_the_whole_tree_and_undo_continues_it(server: Server) -> None:
    """The fault must bite before anybody may say that the undo worked."""
    who = server.now()
    assert who is not None
    tree = tree_of(who)
    undo = prepared(server, "pause", expires="1m")

    FAULTS["pause"].apply(undo, server.context)

    assert all(is_stopped(one) for one in tree)
    assert f"pid {who.pid}" in (FAULTS["pause"].present(undo, recovered=True) or "")
    assert undo["expires_ns"] == 60 * 10**9
    said = FAULTS["pause"].undo(undo, recovered=False, deadline_ns=soon())
    assert said == "continued db: 3 processes"
    assert FAULTS["pause"].present(undo, recovered=False) is None
    assert FAULTS["pause"].undo(undo, recovered=False, deadline_ns=soon()) == "db is running"


def test_the_command_by_hand_continues_what_was_paused(server: Server) -> None:
    """It is printed when everything else has failed, so it has to work as printed."""
    undo = prepared(server, "pause")
    FAULTS["pause"].apply(undo, server.context)

    subprocess.run(FAULTS["pause"].by_hand(undo), shell=True, check=True)  # noqa: S602

    assert FAULTS["pause"].present(undo, recovered=False) is None


def test_an_undo_of_a_pause_leaves_a_reused_pid_alone(server: Server) -> None:
    """Years later the pid belongs to somebody else, who may be stopped on purpose."""
    undo = prepared(server, "pause")
    with subprocess.Popen(["sleep", "1000"]) as other:
        os.kill(other.pid, signal.SIGSTOP)
        who = identify(other.pid)
        assert who is not None
        assert wait_until(lambda: is_stopped(who), deadline_ns=soon())
        undo["pids"] = [[other.pid, 1]]

        said = FAULTS["pause"].undo(undo, recovered=False, deadline_ns=soon())

        assert said == "db: what was stopped is gone"
        still = is_stopped(who)
        other.kill()
    assert still


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_an_undo_is_safe_when_the_fault_was_never_applied(server: Server, kind: str) -> None:
    """The runner may die between the intent and the act."""
    undo, before = prepared(server, kind), server.now()

    for recovered in (False, True):
        FAULTS[kind].undo(undo, recovered=recovered, deadline_ns=soon())

        assert FAULTS[kind].present(undo, recovered=recovered) is None
    assert server.now() == before


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_an_undo_runs_in_a_fresh_process_without_pydantic(server: Server, kind: str) -> None:
    """The guardian's undo has to be quick, and nothing of the runner is left to help it."""
    undo = prepared(server, kind)
    FAULTS[kind].apply(undo, server.context)
    program = (
        "import json, sys, time; from fireproof.faults import load_faults;"
        "undo = json.load(sys.stdin); fault = load_faults([undo['kind']])[undo['kind']];"
        "fault.undo(undo, recovered=False, deadline_ns=time.monotonic_ns() + 10**10);"
        "assert fault.present(undo, recovered=False) is None;"
        "assert 'pydantic' not in sys.modules and 'asyncio' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], input=json.dumps(undo), text=True, check=True)

    assert server.now() is not None


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_what_the_environment_does_not_allow_is_refused(server: Server, kind: str) -> None:
    """A drill file alone must never be enough to break somebody's database."""
    before = server.now()
    params = FAULTS[kind].params.model_validate({kind: "db"})
    project = server.context.project
    for more, says in (
        ({"faults": []}, "does not allow"),
        ({"control": None}, "no `control`"),
    ):
        with pytest.raises(EnvironmentRefusal, match=says):
            FAULTS[kind].prepare(params, place(server.home, project, **more))
    other = FAULTS[kind].params.model_validate({kind: "gone"})
    with pytest.raises(EnvironmentRefusal, match="no component 'gone'"):
        FAULTS[kind].prepare(other, server.context)

    assert server.now() == before


@pytest.mark.parametrize("kind", sorted(FAULTS))
@pytest.mark.parametrize("content", ["", "junk", "0", "-1", "999999999", "{us}", "{parent}"])
def test_a_wrong_pid_file_harms_nobody(server: Server, kind: str, content: str) -> None:
    """A stale pid-file must not turn a drill into the end of an innocent process, or of ours."""
    pid_file, before = server.home / "pid", server.now()
    assert before is not None
    pid_file.write_text(content.format(us=os.getpid(), parent=os.getppid()))
    params = FAULTS[kind].params.model_validate({kind: "db"})

    with pytest.raises(EnvironmentRefusal):
        FAULTS[kind].prepare(params, server.context)

    assert is_alive(before)
    pid_file.write_text(f"{before.pid}\n")


@pytest.mark.parametrize("kind", ["kill", "lose-data-directory"])
def test_a_reused_pid_is_left_alone(server: Server, kind: str) -> None:
    """After a reboot the number in the file is somebody else's."""
    before = server.now()
    undo = prepared(server, kind)
    old = time.time() - 3600
    os.utime(server.home / "pid", (old, old))

    with pytest.raises(EnvironmentRefusal, match="reused pid"):
        prepared(server, kind)
    with pytest.raises(StepError, match="reused pid"):
        FAULTS[kind].apply(undo, server.context)

    assert server.now() == before


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_torn_undo_is_refused_whole(kind: str) -> None:
    """Half an undo is worse than a person with a command."""
    with pytest.raises(UndoError, match="recorded undo"):
        FAULTS[kind].undo({"kind": kind, "component": "db"}, recovered=False, deadline_ns=soon())


def test_a_start_that_fails_or_hangs_gives_the_command_by_hand(server: Server) -> None:
    """The system may still be broken; the last line on the screen must be of use."""
    undo = prepared(server, "kill")
    FAULTS["kill"].apply(undo, server.context)
    for argv, says in (
        (["sh", "-c", "echo disk full >&2; exit 1"], "disk full"),
        (["sleep", "1000"], "did not end in time"),
        (["true"], "does not run"),
        (["no-such-command"], "cannot start"),
    ):
        broken, began = undo | {"start": argv}, time.monotonic()
        with pytest.raises(UndoError, match=says) as caught:
            FAULTS["kill"].undo(
                broken, recovered=False, deadline_ns=time.monotonic_ns() + 3 * 10**8
            )

        assert caught.value.command
        assert time.monotonic() - began < 3
