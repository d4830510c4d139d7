"""Two databases: the first dies, the second takes the writes, and later the first again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from proving_ground.lab import Lab
from proving_ground.ledger.chain import GENESIS, event_digest
from support.small_lab import small_lab

pytestmark = [pytest.mark.component, pytest.mark.full]
PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    with small_lab("ledger-ha") as lab:
        yield lab


def act(lab: Lab, outputs: Path, word: str, **more: Any) -> None:
    done = attempt(lab, outputs, word, **more)
    assert done.returncode == 0, done.stderr


def attempt(
    lab: Lab, outputs: Path, word: str, ctl: Path | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """With another ``ctl`` than the lab's, where one is given."""
    argv = [sys.executable, "-I", str(PROJECT / "playbooks/files/standby.py"), word]
    components = lab.environment()["components"]
    if ctl is not None:
        components["ledger-db"]["ctl"] = str(ctl)
    wanted = {"run": uuid.uuid4().hex, "outputs": str(outputs), "components": components, **more}
    return subprocess.run(
        argv, input=json.dumps(wanted), capture_output=True, text=True, timeout=100, check=False
    )


def write(url: str, within_s: float = 10.0) -> str:
    """One acknowledged event; its key."""
    give_up_at = time.monotonic() + within_s
    while True:
        key = uuid.uuid4().hex
        got = httpx.post(f"{url}/v1/t/events", json={"key": key, "body": "x"}, timeout=5)
        if got.status_code == 201:
            return key
        assert time.monotonic() < give_up_at, got.text
        time.sleep(0.05)


@pytest.mark.parametrize("synchronous", [False, True])
def test_writes_go_on_at_the_standby_and_come_back(
    pair: Lab, tmp_path: Path, synchronous: bool
) -> None:
    """There and back, twice: the second time every acknowledged write must be there."""
    url = pair.environment()["components"]["ledger-ha"]["url"]
    act(pair, tmp_path, "make", synchronous="yes" if synchronous else "no")
    acknowledged = [write(url) for _ in range(50)]
    pid = pair.environment()["components"]["ledger-db"]["control"]["pid-file"]
    os.kill(int(Path(pid).read_text()), signal.SIGKILL)
    act(pair, tmp_path, "promote")
    away = [write(url) for _ in range(20)]
    act(pair, tmp_path, "switch-back")
    back = [write(url) for _ in range(20)]

    database = pair.environment()["components"]["ledger-db"]
    with psycopg.connect(database["dsn"]) as conn:
        rows = conn.execute("SELECT seq, tenant, key, body, digest FROM events ORDER BY seq")
        events = rows.fetchall()
    previous = GENESIS
    for seq, tenant, key, body, digest in events:
        assert digest == event_digest(previous, seq, tenant, key, body)
        previous = digest
    kept = {key for _, _, key, _, _ in events}
    assert set(away + back) <= kept
    if synchronous:
        assert set(acknowledged) <= kept
    assert float((tmp_path / "saved").read_text()) < 10
    assert "switched-" in database["data-directory"]


def test_a_primary_that_was_not_ended_stops_the_failover(pair: Lab, tmp_path: Path) -> None:
    """Two that take writes would be worse than none."""
    act(pair, tmp_path, "make")

    done = attempt(pair, tmp_path, "promote", ctl=Path("/bin/true"))

    assert done.returncode == 1
    assert "old-primary-ended: expected runs: no" in done.stderr
    assert "got runs: yes, its port answers: yes" in done.stderr
    act(pair, tmp_path, "is-home")


def test_a_leader_that_was_cut_off_is_not_called_whole(pair: Lab, tmp_path: Path) -> None:
    """Only one that shut down in order has sent everything that it acknowledged."""
    rough = tmp_path / "ctl"
    lab_ctl = pair.environment()["components"]["ledger-db"]["ctl"]
    words = f'[ "$1" = stop ] && set -- stop "$2" mode=immediate\nexec {lab_ctl} "$@"\n'
    rough.write_text("#!/bin/sh\n" + words)
    rough.chmod(0o755)
    act(pair, tmp_path, "make")
    act(pair, tmp_path, "promote")

    done = attempt(pair, tmp_path, "switch-back", ctl=rough)

    assert done.returncode == 1
    assert "nothing-lost: expected leader shut down" in done.stderr
    assert "got leader in production" in done.stderr
