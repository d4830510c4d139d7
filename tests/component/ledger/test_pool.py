"""The pool after an outage."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proving_ground.lab import Lab
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Store, Unavailable
from support.one_ledger import one_ledger, service_dsn

pytestmark = pytest.mark.component


@pytest.mark.full
def test_those_who_gave_up_are_not_counted_as_waiting(
    lab: Lab, components: dict[str, Any], tmp_path: Path
) -> None:
    """Many times the bound are refused while the database is away; then it serves at once.

    A pool that counted them refused everybody for ever: seen in a whole drill.
    """
    control = components["ledger-db"]["control"]
    settings = {"dsn": service_dsn(lab), "pool_waiting": "5"}
    with one_ledger(tmp_path / "log", **settings) as ledger:
        subprocess.run(control["stop"], check=True, capture_output=True)
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                away = list(pool.map(lambda _: ledger.get("/readyz").status_code, range(80)))
        finally:
            subprocess.run(control["start"], check=True, capture_output=True)
        back = [ledger.get("/readyz").status_code for _ in range(10)]

    assert set(away) == {503}
    assert 200 in back
    assert back[-1] == 200


def test_the_first_request_after_a_restart_is_answered(
    lab: Lab, components: dict[str, Any], tmp_path: Path
) -> None:
    """An idle replica holds connections that died meanwhile; its first client must not pay."""
    control = components["ledger-db"]["control"]
    with one_ledger(tmp_path / "log", dsn=service_dsn(lab), pool_wait_ms="1000") as ledger:
        first = ledger.get("/version").status_code
        for act in ("stop", "start"):
            subprocess.run(control[act], check=True, capture_output=True)
        again = ledger.get("/version").status_code

    assert (first, again) == (200, 200)


def test_no_connection_is_lost_by_those_who_leave_early(lab: Lab) -> None:
    """A drill killed under load left a ledger that said for ever that all ten were busy.

    Whoever runs out of time just as his connection goes back must not take it along.
    """
    settings = Settings(dsn=service_dsn(lab), pool_wait_ms=100, pool_waiting=50)
    draw = random.Random(7)  # noqa: S311 - not a secret

    async def ask(store: Store) -> None:
        with contextlib.suppress(Unavailable):
            await store.rows("SELECT pg_sleep(%s)", (draw.uniform(0, 0.01),), draw.uniform(0, 0.02))

    async def idle_afterwards() -> list[int]:
        store = Store(settings, Meters())
        await store.open()
        for _ in range(30):
            await asyncio.gather(*(ask(store) for _ in range(30)))
        seen = []
        for _ in range(50):
            seen.append([store._stat(name) for name in ("pool_size", "pool_available")])
            if len(set(seen[-1])) == 1:
                break
            await asyncio.sleep(0.1)
        await store.close()
        return seen[-1]

    size, idle = asyncio.run(idle_afterwards())

    assert idle == size > 0
