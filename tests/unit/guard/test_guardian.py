"""The parent that answers for the runner's end. Each case forks for real, in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fireproof.guard.folder import RunFolder, new_run_id
from fireproof.processes import identify

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
import fireproof.guard.guardian as guardian
from fireproof.guard.folder import RunFolder

folder = RunFolder(Path(sys.argv[1]))

def recover(folder, why, by, options, vigil):
    print("recover", why, by, flush=True)
    if not folder.root.with_suffix(".stuck").exists():
        folder.write_result({"exit_code": 7})
    return 7

guardian.recover = recover  # a fake at the edge: the real one is a fresh fireproof process

def runner(heart):
    {body}

sys.exit(guardian.supervise(folder, runner))
"""


def supervised(folder: RunFolder, body: str) -> subprocess.Popen[str]:
    program = PROGRAM.replace("{body}", body.replace("\n", "\n    "))
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder.root)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / new_run_id())


BEGIN = "os.close(folder.create()); folder.journal.write_bytes(b'x\\n')\n"


def test_a_finished_run_keeps_its_code(folder: RunFolder) -> None:
    """The guardian adds nothing to a run that came to its end."""
    child = supervised(folder, BEGIN + "folder.write_result({'exit_code': 1})\nreturn 1")

    out, _ = child.communicate(timeout=20)

    assert (child.returncode, out) == (1, "")


def test_a_killed_runner_is_recovered_and_its_tree_is_dead_by_then(folder: RunFolder) -> None:
    """A child that outlives the runner would go on breaking things during the undo."""
    body = (
        BEGIN
        + "import subprocess\n"
        + "p = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        + "print(p.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    child = supervised(folder, body)

    out, _ = child.communicate(timeout=20)

    pid, said = out.splitlines()
    assert identify(int(pid)) is None
    assert (child.returncode, said) == (7, "recover the runner died (signal 9) guardian")


def test_a_recovery_that_did_not_come_to_its_end_is_exit_4(folder: RunFolder) -> None:
    """Whatever the recovery's own code was: nobody knows that the fault is gone."""
    folder.root.parent.mkdir()
    folder.root.with_suffix(".stuck").touch()
    child = supervised(folder, BEGIN + "os.kill(os.getpid(), signal.SIGKILL)")

    child.communicate(timeout=20)

    assert child.returncode == 4


def test_a_runner_killed_after_its_result_keeps_the_results_code(folder: RunFolder) -> None:
    """The sealed outcome and the exit code may not differ."""
    body = "folder.write_result({'exit_code': 1})\nos.kill(os.getpid(), signal.SIGKILL)"
    child = supervised(folder, BEGIN + body)

    child.communicate(timeout=20)

    assert child.returncode == 1


def test_a_runner_that_hangs_is_ended_and_recovered(folder: RunFolder) -> None:
    """A stopped process is not dead: nobody would ever undo its fault."""
    child = supervised(folder, BEGIN + "os.kill(os.getpid(), signal.SIGSTOP)")

    out, _ = child.communicate(timeout=30)

    assert (child.returncode, out.strip()) == (7, "recover the runner died (it hung) guardian")


def test_a_runner_busy_beyond_its_word_hangs_too(folder: RunFolder) -> None:
    """A thread that goes on beating for a stuck main thread would be a lie."""
    body = "heart.allow(-40)\ntime.sleep(60)"
    child = supervised(folder, BEGIN + body)

    child.communicate(timeout=30)

    assert child.returncode == 7


def test_a_runner_that_never_began_leaves_nothing(folder: RunFolder) -> None:
    """A malformed drill file writes nothing."""
    child = supervised(folder, "return 2")

    child.communicate(timeout=20)

    assert child.returncode == 2
    assert not folder.root.exists()


def test_a_signal_to_the_guardian_reaches_the_runner(folder: RunFolder) -> None:
    """Systemd stops the main process; the runner must hear of it."""
    body = (
        "def stop(number, frame):\n    os._exit(9)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    child = supervised(folder, body)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    time.sleep(0.1)
    child.terminate()

    child.communicate(timeout=20)

    assert child.returncode == 9


def test_the_runner_hears_of_its_guardians_death(folder: RunFolder, tmp_path: Path) -> None:
    """With nobody left to undo, the runner does it itself (SIGTERM: abort)."""
    mark = tmp_path / "heard"
    body = (
        f"def stop(number, frame):\n    Path({str(mark)!r}).write_text('yes')\n    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    child = supervised(folder, body)
    assert child.stdout is not None
    child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()

    for _ in range(100):
        if mark.exists():
            break
        time.sleep(0.02)
    child.stdout.close()
    assert mark.read_text() == "yes"
