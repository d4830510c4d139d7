"""Stopping one server leaves every other server alone, however busy that one is."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proving_ground import ctl
from proving_ground.lab import Lab

pytestmark = [pytest.mark.component, pytest.mark.full]


@contextlib.contextmanager
def new_backends_all_the_time(dsn: str) -> Iterator[None]:
    """Four clients that connect, ask, and go: Postgres forks a process for each."""
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with contextlib.suppress(psycopg.Error), psycopg.connect(dsn) as line:
                line.execute("SELECT 1")

    clients = [threading.Thread(target=come_and_go) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join()


def test_a_new_backend_is_never_taken_for_an_orphan(lab: Lab) -> None:
    """A database that dies of another server's stop would be blamed on the drill."""
    database = lab.environment()["components"]["ledger-db"]
    before = int(Path(database["control"]["pid-file"]).read_text("utf-8"))

    with new_backends_all_the_time(database["admin-dsn"]):
        for _ in range(20):
            for act in ("stop", "start"):
                answer = ctl.ask(str(lab.root), {"act": act, "name": "ledger-api"})
                assert answer["ok"], answer

    os.kill(before, 0)  # the same postmaster still runs
    with psycopg.connect(database["admin-dsn"]) as line:
        assert line.execute("SELECT 1").fetchone() == (1,)
