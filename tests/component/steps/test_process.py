"""Real commands: their output, their end, and what they leave behind."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.processes import descendants
from support.steps import left_running, run_step, step_context

pytestmark = pytest.mark.component


def test_fifty_megabytes_of_output_stay_out_of_memory(tmp_path: Path) -> None:
    """A chatty restore must not push the runner out of the machine."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    program = "import sys\nfor _ in range(50): sys.stdout.write('x' * 2**20)"
    context = step_context(tmp_path)

    result = run_step({"process": [sys.executable, "-c", program]}, context)

    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.ok is True
    assert (context.bag / context.outputs / "stdout.txt").stat().st_size == 50 * 2**20
    assert result.saved is None
    assert grown_kib < 10 * 1024


def test_the_exit_code_is_the_check(tmp_path: Path) -> None:
    """A command that fails on purpose is written down as such."""
    good = run_step({"process": ["sh", "-c", "exit 3"], "expect-exit": 3}, step_context(tmp_path))
    bad = run_step({"process": ["sh", "-c", "echo no >&2; exit 1"]}, step_context(tmp_path))

    assert good.ok is True
    assert bad.ok is False
    assert bad.detail == "sh: exit 1: no"
    assert (bad.checks[0].expected, bad.checks[0].observed) == ("exit 0", "exit 1")


def test_a_command_sees_only_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets in the runner's environment are nobody else's business."""
    monkeypatch.setenv("PLANTED_SECRET", "hunter2")
    text = {"process": ["sh", "-c", "echo $PLANTED_SECRET $URL {saved.at}"]}

    result = run_step(
        text | {"env": {"URL": "{api.url}"}}, step_context(tmp_path, saved={"at": "0/3"})
    )

    assert result.saved == "http://127.0.0.1:9 0/3"


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000",
        "(setsid sleep 1000 &) ; sleep 1000",
        "trap '' TERM INT; (sleep 1000 & sleep 1000) & kill -STOP $$",
    ],
    ids=["sleeps", "detaches", "stops itself"],
)
@pytest.mark.usefixtures("subreaper")
def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path, script: str) -> None:
    """A hang is a failure at the deadline, not a drill that never ends."""
    began, beats, before = time.monotonic(), list[int](), descendants(os.getpid())

    result = run_step(
        {"process": ["sh", "-c", script], "timeout": "1s"},
        step_context(tmp_path, timeout_s=1, beats=beats),
    )

    assert result.ok is False
    assert "did not end within 1s" in result.detail
    assert time.monotonic() - began < 5
    assert not left_running(before)
    assert len(beats) >= 3


@pytest.mark.parametrize("argv", [["no-such-command"], ["/etc/hosts"], ["a\0b"]])
def test_a_command_that_cannot_start_is_told(tmp_path: Path, argv: list[str]) -> None:
    """Nothing was done to the system, and the reason is on one line."""
    with pytest.raises(StepError, match="cannot start"):
        run_step({"process": argv}, step_context(tmp_path))


def test_a_reference_to_nothing_is_told(tmp_path: Path) -> None:
    """An empty text in place of a path can delete the wrong thing."""
    with pytest.raises(StepError, match=r"saved\.gone"):
        run_step({"process": ["echo", "{saved.gone}"]}, step_context(tmp_path))
