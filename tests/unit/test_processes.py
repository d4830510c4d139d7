"""What a step started must end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from fireproof.clock import monotonic_ns
from fireproof.processes import (
    RUN_MARK,
    descendants,
    identify,
    is_alive,
    kill_tree,
    run_to_end,
    scrubbed,
    unmarked,
    use_temporary_folder,
)

SPAWNING = """
import subprocess, sys, time
inner = "import os, time; os.setsid(); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", inner])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_tree_dies_whole_even_when_a_child_left_the_session() -> None:
    """Ansible's children escape a kill of the process group."""
    root = subprocess.Popen([sys.executable, "-c", SPAWNING], stdout=subprocess.PIPE, text=True)
    assert root.stdout is not None
    inner = int(root.stdout.readline())
    assert inner in descendants(root.pid)

    left = kill_tree(root.pid)

    assert left == []
    assert identify(inner) is None
    root.wait()
    root.stdout.close()


def test_a_stopped_process_is_alive_and_still_killed() -> None:
    """A hang is not a death: SIGSTOP must not fool the guardian."""
    child = subprocess.Popen(["sleep", "60"])
    who = identify(child.pid)
    assert who is not None
    child.send_signal(signal.SIGSTOP)

    assert is_alive(who)
    kill_tree(child.pid)
    child.wait()
    assert not is_alive(who)


def test_a_command_past_its_deadline_is_ended_and_says_so(tmp_path: Path) -> None:
    """A step that hangs is not a step that passed."""
    with (tmp_path / "out").open("wb") as out:
        ended = run_to_end(
            ["sleep", "60"], deadline_ns=monotonic_ns() + 10**8, stdout=out, stderr=out
        )

    assert ended.timed_out
    assert ended.returncode == -signal.SIGKILL


def test_an_interrupt_ends_the_step_and_its_tree(tmp_path: Path) -> None:
    """Ctrl-C leaves no command of ours behind."""
    pids: list[int] = []
    others = set(descendants(os.getpid()))  # other tests' servers

    def beat() -> None:
        pids.extend(set(descendants(os.getpid())) - others)
        if pids:
            raise KeyboardInterrupt

    with (tmp_path / "out").open("wb") as out, pytest.raises(KeyboardInterrupt):
        run_to_end(
            ["sleep", "61"],
            deadline_ns=monotonic_ns() + 10**10,
            stdout=out,
            stderr=out,
            beat=beat,
        )

    time.sleep(0.01)
    assert all(identify(pid) is None for pid in pids)


def test_strangers_get_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in our environment must not reach a playbook's facts."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")

    assert "AWS_SECRET_ACCESS_KEY" not in scrubbed()
    assert scrubbed({"A": "b"})["A"] == "b"


def test_what_outlives_a_run_keeps_the_temporary_folder_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that a fault's undo starts would lose its folder when the run is over."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("FIREPROOF_TMPDIR_BEFORE", "")  # set by the call, so put back by the test
    monkeypatch.setenv(RUN_MARK, "run")
    monkeypatch.setattr(tempfile, "tempdir", None)

    use_temporary_folder("01a1fc0a-7f35-72e4-9fc8-b3917cd400af")

    assert Path(scrubbed()["TMPDIR"]).parent == tmp_path
    assert Path(scrubbed()["TMPDIR"]).name.startswith("fp-b3917cd400af-")
    assert unmarked()["TMPDIR"] == str(tmp_path)
    assert RUN_MARK not in unmarked()
