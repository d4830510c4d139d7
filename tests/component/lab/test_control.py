"""Stopping and starting through the supervisor, as drills and playbooks do it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fireproof.processes import descendants
from proving_ground.lab import Lab
from proving_ground.probing import listens

pytestmark = [pytest.mark.component, pytest.mark.full]


def ctl(components: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """One call of the lab's control command."""
    command = [components["ledger-db"]["ctl"], *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def database_pid(components: dict[str, Any]) -> int:
    return int(Path(components["ledger-db"]["control"]["pid-file"]).read_text("utf-8"))


def test_stopping_the_stopped_and_starting_the_started_succeed(components: dict[str, Any]) -> None:
    """An undo is tried again until it works; the second try must not fail for the first's sake."""
    port = int(components["ledger-db"]["port"])
    codes = [ctl(components, "stop", "ledger-db").returncode for _ in range(2)]
    assert codes == [0, 0]
    assert not listens(port)

    codes = [ctl(components, "start", "ledger-db").returncode for _ in range(2)]
    assert codes == [0, 0]
    assert listens(port)


def test_a_killed_database_starts_at_once(components: dict[str, Any]) -> None:
    """What the killed server left behind still holds its memory; starting waits for its end."""
    for signum in (signal.SIGKILL, signal.SIGSTOP):
        pid = database_pid(components)
        for each in (*descendants(pid), pid):
            with contextlib.suppress(ProcessLookupError):  # a worker's time may just be over
                os.kill(each, signum if each == pid else signal.SIGSTOP)
        if signum != signal.SIGKILL:
            os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        done = ctl(components, "start", "ledger-db")

        assert done.returncode == 0, done.stderr
        assert time.monotonic() - started < 4


def test_a_paused_database_can_be_stopped(components: dict[str, Any]) -> None:
    """A stopped process takes no signal but two; it must not make an undo hang."""
    pid = database_pid(components)
    for each in (*descendants(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
    done = ctl(components, "stop", "ledger-db", "mode=immediate")

    assert done.returncode == 0
    assert ctl(components, "start", "ledger-db").returncode == 0


def test_a_start_that_fails_says_why_and_is_not_remembered(
    lab: Lab, components: dict[str, Any]
) -> None:
    """After a failed restore, a plain start must bring the old database back, not the wreck."""
    empty = lab.root / "ledger-db" / "empty"
    empty.mkdir()
    failed = ctl(components, "start", "ledger-db", f"data-directory={empty}")
    plain = ctl(components, "start", "ledger-db")

    assert failed.returncode == 1
    assert "is not a valid data directory" in failed.stderr or "postgresql.conf" in failed.stderr
    assert plain.returncode == 0
    assert lab.environment()["components"]["ledger-db"]["data-directory"].endswith("primary")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "ledger-db", "data-directory=/etc"], "must lie inside the lab"),
        (["start", "ledger-db", "data-directory={root}/../.."], "must lie inside the lab"),
        (["start", "ledger-db", "data-directory={root}/none"], "there is no folder"),
        (["start", "ledger-db", "colour=red"], "it takes data-directory, within"),
        (["start", "ledger-db", "within=soon"], "expected seconds"),
        (["stop", "ledger-db", "mode=gently"], "expected mode=fast|immediate|smart"),
        (["start", "ledger"], "the lab has no server 'ledger'; it has archive, ledger-api"),
        (["start", "../servers/archive"], "the lab has no server"),
    ],
)
def test_a_wrong_call_changes_nothing_and_says_what_is_right(
    lab: Lab, components: dict[str, Any], words: list[str], said: str
) -> None:
    """The supervisor may be root: it hands over no folder but its own."""
    before = database_pid(components)
    done = ctl(components, *[word.replace("{root}", str(lab.root)) for word in words])

    assert done.returncode == 1
    assert said in done.stderr
    assert database_pid(components) == before


def test_nobody_else_may_talk_to_the_supervisor(lab: Lab) -> None:
    """Whoever reaches the socket stops the lab's servers."""
    assert (lab.root / "run" / "ctl.sock").stat().st_mode & 0o077 == 0
    assert (lab.root / "run").stat().st_mode & 0o077 == 0
