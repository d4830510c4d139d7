"""The canary writer against a service that keeps, loses, refuses and changes writes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from fireproof.clock import monotonic_ns
from fireproof.errors import StepError
from fireproof.judge.loss import Evidence, Tally, tally
from fireproof.judge.samples import parse_canary, parse_present
from fireproof.judge.story import Source, Span
from fireproof.model.drill import CanaryProbe
from fireproof.model.sample import canary_body, canary_key
from fireproof.probes import read_present, start_probe
from fireproof.probes.running import ProbeProcess
from support.probing import wait_until
from support.records import RUN, present_csv

pytestmark = pytest.mark.component

FILE = "data/samples/canary.csv"


class Store:
    """Keeps what is posted to it, in this process; ``moods`` chooses otherwise by write number."""

    def __init__(self) -> None:
        self.held: dict[str, list[str]] = {}
        self.moods: dict[int, str] = {}
        self.keys_agree = True
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            write = json.loads(await reader.readexactly(int(fields["Content-Length"])))
            self.keys_agree &= write["key"] == fields["Idempotency-Key"]
            mood = self.moods.get(int(write["key"].rpartition("-")[2]), "keep")
            self.take(mood, write["key"], write["body"])
            if mood == "mute":
                await asyncio.sleep(30)
            status = {"refuse": 409, "phantom": 422, "break": 500}.get(mood, 201)
            answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def take(self, mood: str, key: str, body: str) -> None:
        if mood in ("keep", "mute", "phantom", "twice", "break"):
            self.held.setdefault(key, []).append(body)
        if mood == "twice":
            self.held[key].append(body)
        if mood == "change":
            self.held[key] = [body.upper()]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/canary"


@contextmanager
def stored() -> Iterator[Store]:
    """The store's service, on a thread of its own."""
    store = Store()
    ready = threading.Event()
    enough: list[Callable[[], object]] = []

    async def main() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        enough.append(lambda: loop.call_soon_threadsafe(over.set))
        async with await asyncio.start_server(store.serve, "127.0.0.1", 0, backlog=512) as server:
            store.port = server.sockets[0].getsockname()[1]
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(5)
    try:
        yield store
    finally:
        enough[0]()
        thread.join(5)


def start(store: Store, bag: Path, timeout: str = "500ms") -> ProbeProcess:
    probe = CanaryProbe.model_validate(
        {
            "acknowledged-writes": store.url,
            "rate": "200/s",
            "timeout": timeout,
            "read-from": "db",
            "query": "select",
        }
    )
    return start_probe("canary", probe, url=store.url, run=RUN, bag=bag, file=FILE)


def tallied(bag: Path, store: Store) -> Tally:
    more = {key: (bodies[0], len(bodies)) for key, bodies in store.held.items()}
    evidence = Evidence(
        Source(b"", 1, 1, 0),
        parse_canary((bag / FILE).read_bytes(), RUN),
        parse_present(present_csv([], more)),
        Span(monotonic_ns(), monotonic_ns()),
        "",
    )
    return tally(RUN, evidence)


@pytest.mark.parametrize("count", [0, 1, 17])
def test_k_lost_writes_are_reported_as_exactly_k(count: int, tmp_path: Path) -> None:
    """The service said yes and kept nothing; nobody else would ever know."""
    with stored() as store:
        store.moods = {seq: "lose" for seq in range(20, 20 + count)}
        probe = start(store, tmp_path)
        wait_until(lambda: probe.observations() >= 120)
        clean, rows = probe.stop()
        found = tallied(tmp_path, store)

    assert clean
    assert found.counts["lost"] == count
    assert [write.seq for write in found.lost] == list(range(20, 20 + count))
    assert found.counts["acked"] * 2 == rows
    assert store.keys_agree


def test_every_write_lands_in_its_class(tmp_path: Path) -> None:
    """What the service did, by number, against what the judge says it did."""
    moods = ["refuse", "phantom", "break", "mute", "twice", "change", "lose"]
    with stored() as store:
        store.moods = {10 * (index + 1): mood for index, mood in enumerate(moods)}
        probe = start(store, tmp_path)
        wait_until(lambda: probe.observations() >= 200)
        errors = probe.errors()
        probe.stop()
        store.held[canary_key(RUN, 99_999)] = ["from nowhere"]
        counts = tallied(tmp_path, store).counts

    assert counts["refused"] == 2
    assert counts["phantom"] == 1
    assert counts["unknown"] == counts["recovered"] == 2
    assert (counts["duplicate"], counts["corrupt"], counts["lost"]) == (1, 1, 1)
    assert counts["holes"] == 1
    assert counts["unexpected"] == 1
    assert errors == 4


def test_an_intent_is_on_record_before_the_write_can_be_stored(tmp_path: Path) -> None:
    """Killed at any instant, no stored write lacks its intent: none is 'unexpected'."""
    with stored() as store:
        probe = start(store, tmp_path)
        wait_until(lambda: probe.observations() >= 60)
        os.kill(probe.pid, signal.SIGKILL)
        clean, _ = probe.stop()
        found = tallied(tmp_path, store)

    assert not clean
    assert found.counts["unexpected"] == 0
    assert found.counts["lost"] == 0


def test_presence_is_read_from_a_real_store(postgres_dsn: str, tmp_path: Path) -> None:
    """One row a key, sorted, with digests of the bodies as they are stored."""
    path = tmp_path / "data/samples/present.csv"
    held = "(values ('b,\"x', 'two'), ('a', 'one'), ('a', 'one'), ('c', null)) as t(key, body)"
    deadline = monotonic_ns() + 10**10
    before, after, rows = read_present(
        postgres_dsn, f"select key, body from {held}", path, deadline_ns=deadline
    )
    present = parse_present(path.read_bytes())

    assert before < after
    assert rows == 3
    assert list(present) == ["a", 'b,"x', "c"]
    assert present["a"].count == 2


def test_a_canary_in_postgres_is_found_whole(postgres_dsn: str, tmp_path: Path) -> None:
    """Key and body as they were sent make the digest that the judge recomputes."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("create table canary_whole (key text, body text)")
        for seq in range(3):
            values = (canary_key(RUN, seq), canary_body(RUN, seq))
            connection.execute("insert into canary_whole values (%s, %s)", values)
    path = tmp_path / "present.csv"
    query = "select key, body from canary_whole where key like '0190%'"
    read_present(postgres_dsn, query, path, deadline_ns=monotonic_ns() + 10**10)

    assert path.read_bytes() == present_csv([0, 1, 2])


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select 1", "two columns"),
        ("select key from nowhere", "nowhere"),
        ("select pg_sleep(5), 1", "timeout"),
        ("create table oops (a int)", "read-only"),
    ],
)
def test_a_store_that_cannot_be_read_is_a_step_error(
    query: str, why: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """The judge then says inconclusive; the runner goes on to the undo."""
    path = tmp_path / "present.csv"

    with pytest.raises(StepError, match=why):
        read_present(postgres_dsn, query, path, deadline_ns=monotonic_ns() + 5 * 10**8)
    assert not path.exists()
