"""The audit of the crash tests sees what a killed drill may leave, each thing for itself."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from proving_ground import ctl
from proving_ground.lab import Lab
from support.small_lab import small_lab
from support.standing_lab import differences, standing

pytestmark = [pytest.mark.component, pytest.mark.full]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with small_lab("notify-1", "identity", "cache-store", "archive") as found:
        yield found


def start(lab: Lab, name: str, **params: str) -> None:
    assert ctl.ask(str(lab.root), {"act": "start", "name": name, "params": params})["ok"]


def refuse(lab: Lab) -> None:
    start(lab, "notify-1", answer="500")


def answer(lab: Lab) -> None:
    start(lab, "notify-1", answer="ok")


def stop(lab: Lab) -> None:
    assert ctl.ask(str(lab.root), {"act": "stop", "name": "cache-store"})["ok"]


def go_on(lab: Lab) -> None:
    start(lab, "cache-store")


def signalled(signum: int) -> Callable[[Lab], None]:
    def send(lab: Lab) -> None:
        os.kill(int((lab.folder.run / "cache-store.pid").read_text()), signum)

    return send


def key(*words: str) -> Callable[[Lab], None]:
    def turn(lab: Lab) -> None:
        argv = [str(lab.folder.bin / "identity-ctl"), *words]
        subprocess.run(argv, check=True, capture_output=True)

    return turn


def object_of_a_backup(act: str) -> Callable[[Lab], None]:
    def put(lab: Lab) -> None:
        archive = lab.environment()["components"]["archive"]
        argv = [archive["rclone"], "--config", archive["rclone-config"], act]
        there = f"{archive['remote']}/base/a-run/base.tar.0000"
        subprocess.run([*argv, there], input=b"bytes", check=True, timeout=60)

    return put


@pytest.mark.parametrize(
    ("harm", "undo", "seen"),
    [
        (refuse, answer, "notify-1: settings"),
        (stop, go_on, "cache-store: runs"),
        (signalled(signal.SIGSTOP), signalled(signal.SIGCONT), "cache-store: stands still"),
        (key("publish", "--algorithm", "ES256"), key("retire", "newest"), "identity: keys"),
        (
            object_of_a_backup("rcat"),
            object_of_a_backup("deletefile"),
            "archive: partial backups",
        ),
        (
            lambda lab: (lab.folder.secrets / "left.pem").write_text("x"),
            lambda lab: (lab.folder.secrets / "left.pem").unlink(),
            "lab: secrets",
        ),
    ],
)
def test_what_is_left_is_named_and_what_was_put_back_is_not(
    lab: Lab, harm: Callable[[Lab], None], undo: Callable[[Lab], None], seen: str
) -> None:
    """An audit that cannot fail would let every killed drill pass."""
    before = standing(lab)
    harm(lab)
    try:
        found = differences(before, lab, within_s=0)
    finally:
        undo(lab)

    assert any(line.startswith(f"{seen}: was ") for line in found), found
    assert differences(before, lab, within_s=5) == []
