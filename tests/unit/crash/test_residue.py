"""The audit of the crash tests, seen red for everything that it looks for."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fireproof.processes import RUN_MARK
from support import residue
from support.residue import Surroundings, contents, left_behind

RUN = "01a1faee-9f37-7c88-aaf7-0d3601c9442f"


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    monkeypatch.setattr(residue, "SETTLE_S", 0.3)
    for name in ("evidence", "leases", "scratch", "place"):
        (tmp_path / name).mkdir()
    return Surroundings(
        evidence=tmp_path / "evidence",
        leases=tmp_path / "leases",
        known_by=(tmp_path,),
        servers=list,
        scratch=tmp_path / "scratch",
        places=(tmp_path / "place",),
        there=contents([tmp_path / "place"]),
    )


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that names the drill's folder and listens."""
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    time.sleep(0.3)
    yield child
    child.kill()
    child.wait()


def test_nothing_left_is_nothing(around: Surroundings) -> None:
    """An audit that always finds something is soon switched off."""
    assert left_behind(RUN, around) == []


def test_a_process_that_names_the_drill_s_folder_is_left(
    around: Surroundings, sleeper: subprocess.Popen[bytes]
) -> None:
    """It goes on beside the next run."""
    assert f"process {sleeper.pid} is left" in left_behind(RUN, around)[0]


def test_a_marked_process_is_left_wherever_it_stands(around: Surroundings) -> None:
    """Its words and folder may say nothing of the run."""
    child = subprocess.Popen(["sleep", "60"], cwd="/", env={RUN_MARK: RUN, "PATH": "/usr/bin:/bin"})
    try:
        assert f"process {child.pid} is left" in left_behind(RUN, around)[0]
    finally:
        child.kill()
        child.wait()


def test_a_server_s_other_port_is_left(
    around: Surroundings, sleeper: subprocess.Popen[bytes]
) -> None:
    """A server that stays may, a second door of it may not."""
    stays = replace(around, servers=lambda: [sleeper.pid], ports=frozenset({1}))

    assert "port" in left_behind(RUN, stays)[0]


def test_a_held_lease_and_a_quarantine_are_left(around: Surroundings) -> None:
    """The next drill of this component would be refused."""
    (around.leases / "a.quarantine").touch()
    (around.leases / "b.lease").touch()
    descriptor = os.open(around.leases / "b.lease", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert left_behind(RUN, around) == ["quarantine: a.quarantine", "lease is held: b.lease"]
    finally:
        os.close(descriptor)


def test_an_armed_expiry_is_left(around: Surroundings) -> None:
    """It would act on a later run's servers."""
    data = around.evidence / "runs" / RUN / "bag" / "data"
    data.mkdir(parents=True)
    record = {"kind": "intent", "data": {"undo": {"expiry": "token-of-this-test"}}}
    (data / "journal.jsonl").write_text(json.dumps(record) + "\n")
    with socket.socket(socket.AF_UNIX) as trap:
        trap.bind("\0fireproof-expiry-token-of-this-test")
        trap.listen()

        found = left_behind(RUN, around)

    assert "an expiry is still armed: token-of-this-test" in found
    assert any(line.endswith("bag was left") for line in found)


@pytest.mark.parametrize("name", ["scratch/forgotten", "place/half-built"])
def test_a_folder_is_left(around: Surroundings, tmp_path: Path, name: str) -> None:
    """A disk fills up with halves of databases."""
    (tmp_path / name).mkdir()

    assert left_behind(RUN, around) == [f"{tmp_path / name} was left"]
    if name.startswith("place"):
        assert left_behind(RUN, around, may_stay=[str(tmp_path / name)]) == []
