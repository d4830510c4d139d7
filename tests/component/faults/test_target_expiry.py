"""The script that keeps an expiry on a target, as a target's own shell runs it."""

from __future__ import annotations

import base64
import shlex
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import pytest

pytestmark = pytest.mark.component

SCRIPT = files("fireproof.children").joinpath("target_expiry.sh").read_text("utf-8")


class Target:
    """One expiry in a folder of the test; its undo removes the flag."""

    def __init__(self, home: Path) -> None:
        self.there, self.flag = home / "an expiry", home / "flag"
        self.flag.touch()

    def ask(self, verb: str, *, after_s: int = 60, undo: str = 'rm "$flag"') -> str:
        run = f"export flag={shlex.quote(str(self.flag))}\nexec /bin/sh '{self.there}/undo'\n"
        given = {
            "verb": verb,
            "there": str(self.there),
            "unit": "fireproof-expiry-test",
            "after_s": str(after_s),
            "undo_b64": base64.b64encode(undo.encode()).decode(),
            "run_b64": base64.b64encode(run.encode()).decode(),
        }
        lines = [f"{name}={shlex.quote(value)}" for name, value in given.items()]
        done = subprocess.run(
            ["/bin/sh", "-s"],
            input="\n".join([*lines, SCRIPT]),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip()}"

    def wait(self, wanted: str) -> None:
        give_up_at = time.monotonic() + 20
        while self.ask("look") != wanted:
            assert time.monotonic() < give_up_at, self.ask("look")
            time.sleep(0.1)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def test_what_is_armed_undoes_and_says_so_once(target: Target) -> None:
    """Nobody came back; whoever comes later must hear that it was not the undo."""
    assert target.ask("arm", after_s=1).startswith("armed: ")
    assert target.ask("look") == "armed"
    assert target.flag.exists()

    target.wait("has run its undo: exit code 0")

    assert not target.flag.exists()
    assert target.ask("call-off") == "had run its undo: exit code 0"
    assert target.ask("look") == target.ask("call-off") == "none"
    assert not target.there.exists()


def test_what_is_called_off_never_runs(target: Target) -> None:
    """An undo that comes after the recovery could break what was restored."""
    assert target.ask("arm", after_s=2).startswith("armed: ")

    assert target.ask("call-off") == "called off"

    time.sleep(4)
    assert target.flag.exists()
    assert target.ask("look") == "none"


def test_an_undo_that_fails_there_is_told(target: Target) -> None:
    """Fired is not undone."""
    target.ask("arm", after_s=0, undo="exit 3")

    target.wait("has run its undo: exit code 3")

    assert target.ask("call-off") == "had run its undo: exit code 3"


@pytest.mark.full
def test_a_call_off_waits_for_an_undo_at_work(target: Target) -> None:
    """Two who mend one thing at once may break it."""
    target.ask("arm", after_s=0, undo='sleep 3; rm "$flag"')
    target.wait("is at its undo")

    assert target.ask("call-off") == "had run its undo: exit code 0"

    assert not target.flag.exists()


@pytest.mark.full
def test_an_expiry_that_nobody_keeps_is_no_expiry(target: Target) -> None:
    """After a reboot of the target it would be believed in, and never come."""
    said = target.ask("arm")
    if "sleeper" not in said:
        pytest.skip("this host keeps it by systemd, which ends it as a timer")
    subprocess.run(["kill", "-9", said.rpartition(" ")[2]], check=True)

    target.wait("is set up and nobody keeps it")

    assert target.ask("call-off") == "called off"
    assert target.ask("look") == "none"


def test_a_name_that_is_taken_is_not_armed(target: Target) -> None:
    """A second run with the first one's name would call off the first one's expiry."""
    target.there.mkdir()

    assert "is there already" in target.ask("arm")


@pytest.mark.full
def test_a_call_off_that_was_cut_off_is_finished_by_the_next(target: Target) -> None:
    """The line may break between any two of its commands."""
    target.ask("arm")
    (target.there / "taken").mkdir()

    assert target.ask("call-off") == "called off"

    assert not target.there.exists()
    assert target.flag.exists()
