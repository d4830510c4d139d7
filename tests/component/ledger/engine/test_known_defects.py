"""Each known defect of the proofs, the window and the chain breaks what its line says.

Those of the breaker, the signatures and the tree are seen red beside the code they break, in
``tests/unit/ledger`` and ``test_dependency.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from proving_ground.ledger.app import make_app
from proving_ground.ledger.backlog import Backlog
from proving_ground.ledger.drain import Drain
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.settings import Settings
from proving_ground.merkle.app import EngineApp
from proving_ground.merkle.engine import Engine, EngineMeters
from proving_ground.merkle.feed import Away, Row
from proving_ground.merkle.note import make_key
from proving_ground.notify.provider import Provider
from support.defective import defective
from support.fickle_engine import FickleEngine
from support.logs import KEY

pytestmark = pytest.mark.component
EVENT = {"key": "k", "body": "b"}


@contextlib.asynccontextmanager
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the application in this process."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as found:
        yield found


def ledger(**settings: Any) -> ASGIApp:
    """The whole service over the memory driver."""
    return make_app(Settings(storage="memory", **settings), Drain())[0]


async def duplicates(pause_s: float) -> list[tuple[int, int]]:
    """Status and number of an event sent twice."""
    async with client(ledger(idempotency_window_s=1)) as ask:
        answers = [await ask.post("/v1/t/events", json=EVENT)]
        await asyncio.sleep(pause_s)
        answers.append(await ask.post("/v1/t/events", json=EVENT))
        return [(got.status_code, got.json().get("seq", 0)) for got in answers]


async def books_once() -> bool:
    return await duplicates(0) == [(201, 1), (200, 1)]


async def refuses_late() -> bool:
    return await duplicates(1.1) == [(201, 1), (409, 0)]


async def sheds() -> bool:
    """A request that never ends its body, and another."""
    async with client(ledger(max_in_flight=1)) as ask:
        gate = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"{"
            await gate.wait()

        first = asyncio.create_task(ask.post("/v1/t/events", content=body()))
        await asyncio.sleep(0.05)
        second = await ask.get("/v1/t/events/1")
        gate.set()
        await first
        return second.status_code == 503


async def chain(*ways: str) -> tuple[str, list[tuple[str, str]], list[int]]:
    """Who took a notice, who was tried, and how often each was asked."""
    async with contextlib.AsyncExitStack() as stack:
        each = [await stack.enter_async_context(FickleEngine().serving()) for _ in ways]
        for fickle, way in zip(each, ways, strict=True):
            fickle.way = way
        urls = " ".join(f"p{n}=http://127.0.0.1:{fickle.port}" for n, fickle in enumerate(each))
        ask = await stack.enter_async_context(client(ledger(notify_urls=urls)))
        got = (await ask.post("/v1/t/notices", json={"id": "n", "text": "x"})).json()
        tried = [(one["provider"], one["outcome"]) for one in got["tried"]]
        return got.get("provider", ""), tried, [fickle.asked for fickle in each]


async def fails_over_in_order() -> bool:
    took, tried, asked = await chain("500", "201", "201")
    return took == "p1" and [name for name, _ in tried] == ["p0", "p1"] and asked == [1, 1, 0]


async def ingests_without_engine(tmp_path: Path) -> bool:
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    settings = {"engine_url": "http://127.0.0.1:9", "engine_key_file": tmp_path / "key.pub.pem"}
    async with client(ledger(**{name: str(value) for name, value in settings.items()})) as ask:
        return (await ask.post("/v1/t/events", json=EVENT)).status_code == 201


class Broken:
    """A feed that has three events and cannot store."""

    async def after(self, seq: int, limit: int = 1000) -> list[Row]:
        return [Row(n, "t", f"k{n}", "b") for n in (1, 2, 3) if n > seq]

    async def newest_note(self) -> str | None:
        return None

    async def store(self, number: int, size: int, note: str) -> None:
        raise Away("gone")

    async def close(self) -> None: ...


async def shows_what_is_stored() -> bool:
    engine = Engine(Broken(), KEY, "o", 0.001, EngineMeters())
    work = asyncio.create_task(engine.round())
    await asyncio.wait({work}, timeout=0.1)
    shown = engine.note
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return shown is None


async def engine_answers(within_s: float) -> bool:
    meters = EngineMeters()
    engine = Engine(Broken(), KEY, "o", 0.001, meters)
    async with client(EngineApp(engine, Broken(), meters).app()) as ask:
        try:
            got = await asyncio.wait_for(ask.get("/proofs/1"), within_s)
        except TimeoutError:
            return False
        return got.status_code == 404


async def delivers_once(tmp_path: Path, late_s: float, times: int) -> bool:
    provider = Provider("p", tmp_path / "deliveries", "ok")
    notice = {"id": "n", "text": "x", "deadline": time.time() + 5 - late_s}
    async with client(provider.app()) as ask:
        statuses = [(await ask.post("/deliver", json=notice)).status_code for _ in range(times)]
        asked = (await ask.get("/deliveries")).json()["asked"]
    delivered = [one for one in asked if one["outcome"] == "delivered"]
    if late_s > 5:
        return not delivered
    return len(delivered) == 1 and statuses == [201, 200][:times]


class Told:
    """A driver that says how far behind the checkpoints are."""

    async def backlog(self) -> tuple[float, float, float, float]:
        return 10.0, 4.0, 2.0, 1.0


async def shows_the_backlog() -> bool:
    meters = Meters()
    await Backlog(Told(), meters).look()
    names = ("ledger_events", "ledger_backlog_events", "ledger_checkpoint_lag_seconds")
    return [meters.registry.get_sample_value(name) for name in names] == [10, 4, 2]


Check = Callable[[Path], Awaitable[bool]]
CASES: dict[str, Check] = {
    "duplicate-booked-twice": lambda _: books_once(),
    "duplicate-refused": lambda _: books_once(),
    "window-never-ends": lambda _: refuses_late(),
    "backlog-reads-zero": lambda _: shows_the_backlog(),
    "never-sheds": lambda _: sheds(),
    "chain-backwards": lambda _: fails_over_in_order(),
    "chain-goes-on": lambda _: fails_over_in_order(),
    "chain-gives-up": lambda _: fails_over_in_order(),
    "ingest-waits-for-engine": ingests_without_engine,
    "checkpoint-before-commit": lambda _: shows_what_is_stored(),
    "engine-answers-500": lambda _: engine_answers(2.0),
    "engine-slow": lambda _: engine_answers(0.5),
    "delivers-too-late": lambda tmp_path: delivers_once(tmp_path, 6, 1),
    "delivers-again": lambda tmp_path: delivers_once(tmp_path, 0, 2),
    "answers-error-after-delivery": lambda tmp_path: delivers_once(tmp_path, 0, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_a_known_defect_is_seen_and_its_absence_too(name: str, tmp_path: Path) -> None:
    """A defect that broke nothing would make the drill that looks for it look blind."""

    async def scene() -> bool:
        found: bool = await CASES[name](tmp_path)
        return found

    assert asyncio.run(scene())
    for path in tmp_path.iterdir():
        path.unlink()
    with defective(name):
        assert not asyncio.run(scene())
