"""Replicas behind the switch: moved, killed, drained, while clients that never repeat look on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from fireproof.processes import identify, is_alive
from support.steady_load import steady_load

pytestmark = pytest.mark.component
SETTLED_S = 0.8  # the switch asks every 200 ms


def put_in_service(components: dict[str, Any], *names: str) -> None:
    subprocess.run([components["switch"]["set-slot"], *names], check=True, capture_output=True)


def move(components: dict[str, Any], old: str, new: str) -> None:
    """Both, then the new one alone, as deploy.yml does it."""
    put_in_service(components, old, new)
    time.sleep(SETTLED_S)
    put_in_service(components, new)
    time.sleep(SETTLED_S)


def ctl(components: dict[str, Any], *words: str) -> None:
    argv = [components["switch"]["ctl"], *words]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


def pid_of(components: dict[str, Any], name: str) -> int:
    return int(Path(components[name]["control"]["pid-file"]).read_text("utf-8"))


def until(seen: Callable[[], Any], within_s: float = 5.0) -> Any:
    give_up_at = time.monotonic() + within_s
    while not (found := seen()):
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.02)
    return found


def test_a_move_by_the_slot_file_loses_no_request(components: dict[str, Any]) -> None:
    """There and back under constant load: the whole point of this switch."""
    with steady_load(components["switch"]["url"]) as load:
        time.sleep(0.5)
        move(components, "ledger-blue", "ledger-green")
        move(components, "ledger-green", "ledger-blue")

    assert load.failed == 0, (load.lost[:3], load.answers)
    assert load.of("ledger-green") > 20
    assert load.of("ledger-blue") > 20
    assert load.count > 300


@pytest.mark.full
def test_one_rename_alone_moves_everybody(components: dict[str, Any]) -> None:
    """Even when nobody is in service for an instant, requests wait and are not refused."""
    with steady_load(components["switch"]["url"]) as load:
        time.sleep(0.3)
        put_in_service(components, "ledger-green")
        time.sleep(SETTLED_S)
        moved = load.of("ledger-green")
        put_in_service(components, "ledger-blue")
        time.sleep(SETTLED_S)

    assert load.failed == 0, (load.lost[:3], load.answers)
    assert moved > 5


@pytest.mark.full
def test_a_killed_replica_is_missed_by_nobody_once_it_was_noticed(
    components: dict[str, Any],
) -> None:
    """Three in service, one dies: after the detection window no client sees an error."""
    put_in_service(components, "ledger-blue", "ledger-green", "ledger-amber")
    time.sleep(SETTLED_S)
    try:
        with steady_load(components["switch"]["url"]) as before:
            time.sleep(0.5)
        os.kill(pid_of(components, "ledger-amber"), signal.SIGKILL)
        time.sleep(SETTLED_S)
        with steady_load(components["switch"]["url"]) as after:
            time.sleep(1.0)
    finally:
        ctl(components, "start", "ledger-amber")
        put_in_service(components, "ledger-blue")
        time.sleep(SETTLED_S)

    assert before.of("ledger-amber") > 5
    assert after.failed == 0, (after.lost[:3], after.answers)
    assert after.of("ledger-amber") == 0
    assert after.of("ledger-green") > 5


def test_a_drained_replica_is_not_ready_first_and_finishes_what_it_began(
    components: dict[str, Any],
) -> None:
    """An append that waits for a lock when SIGTERM comes is answered, and the process ends soon."""
    url = components["ledger-green"]["url"]
    who = identify(pid_of(components, "ledger-green"))
    answers: list[int] = []

    def write() -> None:
        got = httpx.post(f"{url}/v1/t/events", json={"key": "drained", "body": "x"}, timeout=10)
        answers.append(got.status_code)

    assert who is not None
    with psycopg.connect(components["ledger-db"]["admin-dsn"]) as holder:
        holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.3)
        os.kill(who.pid, signal.SIGTERM)
        not_ready = until(lambda: httpx.get(f"{url}/in-service").status_code == 503)
        still_serves = httpx.get(f"{url}/healthz").status_code
        holder.rollback()
    writer.join(10)
    began = time.monotonic()
    until(lambda: not is_alive(who), 8)
    took_s = time.monotonic() - began
    ctl(components, "start", "ledger-green")

    assert not_ready
    assert still_serves == 200
    assert answers == [201]
    assert took_s < 5


def test_a_lost_cache_costs_no_answer(components: dict[str, Any]) -> None:
    """Correct answers with the cache, without it, and again with a cold one."""
    url = components["switch"]["url"]
    with httpx.Client(base_url=url) as client:
        posted = client.post("/v1/t/events", json={"key": "cached", "body": "x"}).json()
        path = f"/v1/t/events/{posted['seq']}"
        warm = [client.get(path) for _ in range(2)]
        os.kill(pid_of(components, "cache-store"), signal.SIGKILL)
        began = time.monotonic()
        cold = [client.get(path) for _ in range(20)]
        took_s = time.monotonic() - began
        ctl(components, "start", "cache-store")
        again = until(lambda: (got := client.get(path)).headers["x-cache"] == "hit" and got)

    assert [got.headers["x-cache"] for got in warm] == ["miss", "hit"]
    assert {got.text for got in (*warm, *cold, again)} == {warm[0].text}
    assert took_s < 2


def _is_logged(log: Path, words: str) -> bool:
    return words in log.read_text("utf-8")


def test_one_request_is_found_in_switch_service_and_answer(components: dict[str, Any]) -> None:
    """The client's id when it has one, the switch's own when it has none."""
    url = f"{components['switch']['url']}/v1/t/events/1"
    given = httpx.get(url, headers={"x-request-id": "trace-me-1"}).headers["x-request-id"]
    made = httpx.get(url).headers["x-request-id"]

    assert given == "trace-me-1"
    for request_id in (given, made):
        for name in ("switch", "ledger-blue"):
            until(partial(_is_logged, Path(components[name]["log"]), request_id))
    lines = Path(components["ledger-blue"]["log"]).read_text("utf-8").splitlines()
    numbers = [json.loads(line)["n"] for line in lines]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_step_up_and_down_leaves_the_schema_as_it_was(components: dict[str, Any]) -> None:
    """A rollback of the service that leaves the schema behind is half a rollback."""

    def migrate(*words: str) -> Any:
        argv = [components["ledger-db"]["migrate"], *words]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    before = migrate("show")
    with steady_load(components["switch"]["url"], clients=2) as load:
        up = migrate("up", "--to", "v2_source")
        between = migrate("show")
        time.sleep(0.2)
        down = migrate("down")

    assert load.failed == 0, (load.lost[:3], load.answers)
    assert between["digest"] != before["digest"]
    assert migrate("show") == before
    assert (up["to"], down["to"]) == ("v2_source", before["revision"])
    assert down["lost"]["events.source"] > 0


def test_a_busy_pool_refuses_quickly_and_recovers_by_itself(components: dict[str, Any]) -> None:
    """Forty writers wait for one lock: bounded waiting, a word that says why, no restart."""
    url = components["ledger-amber"]["url"]
    answers: list[httpx.Response] = []

    client = httpx.Client(timeout=10)  # one: each makes a TLS context, which costs more than all

    def write(number: int) -> None:
        event = {"key": f"busy-{number}", "body": "x"}
        answers.append(client.post(f"{url}/v1/t/events", json=event))

    with client, psycopg.connect(components["ledger-db"]["admin-dsn"]) as holder:
        holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        threads = [threading.Thread(target=write, args=(n,)) for n in range(40)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        took_s = time.monotonic() - began
        alive = httpx.get(f"{url}/healthz").status_code
        holder.rollback()
    exhausted = [got for got in answers if got.json().get("code") == "pool-exhausted"]

    assert {got.status_code for got in answers} == {503}
    assert len(exhausted) >= 20
    assert all(got.headers["retry-after"] == "1" for got in exhausted)
    assert took_s < 4
    assert alive == 200
    until(lambda: httpx.get(f"{url}/readyz").status_code == 200, 3)
