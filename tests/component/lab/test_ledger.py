"""The ledger through its front door, with a database that dies under it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from fireproof.processes import descendants
from proving_ground.lab import Lab
from proving_ground.ledger.chain import GENESIS, event_digest

pytestmark = pytest.mark.component


@pytest.fixture
def ledger(components: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=components["ledger-api"]["url"], timeout=5) as client:
        yield client


def append(ledger: httpx.Client, key: str, body: str, tenant: str = "t") -> httpx.Response:
    return ledger.post(f"/v1/{tenant}/events", json={"key": key, "body": body})


def test_an_event_is_taken_once(ledger: httpx.Client) -> None:
    """A client that repeats itself after a timeout must not be booked twice."""
    first, again = append(ledger, "once", "a"), append(ledger, "once", "a")
    other = append(ledger, "once", "b")
    elsewhere = append(ledger, "once", "b", tenant="u")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert other.status_code == 409
    assert elsewhere.status_code == 201


def test_every_digest_follows_from_the_one_before(
    ledger: httpx.Client, components: dict[str, Any]
) -> None:
    """SQL makes the digests and auditors recompute them elsewhere: both must read the same text."""
    for number, body in enumerate(["", "plain", "ä 1:x 你好 \U0001f525", "%s %I", "\n\t\\u0000"]):
        assert append(ledger, f"chain-{number}", body).status_code == 201
    with psycopg.connect(components["ledger-db"]["dsn"]) as conn:
        rows = conn.execute("SELECT seq, tenant, key, body, digest FROM events ORDER BY seq")
        events = rows.fetchall()

    previous = GENESIS
    for place, (seq, tenant, key, body, digest) in enumerate(events, start=1):
        assert seq == place
        assert digest == event_digest(previous, seq, tenant, key, body)
        previous = digest


def test_the_service_can_change_no_event(components: dict[str, Any]) -> None:
    """Append-only is a right that is missing, not a promise."""
    dsn = components["ledger-db"]["dsn"].replace("user=reader", "user=ledger")
    for statement in ("UPDATE events SET body = ''", "DELETE FROM events", "TRUNCATE events"):
        with psycopg.connect(dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b'{"key": "k"}', 422),
        (b'{"key": "k", "body": "b", "more": 1}', 422),
        (b'{"key": 1, "body": "b"}', 422),
        (b'{"key": "", "body": "b"}', 422),
        (b'{"key": "\\u0000", "body": "b"}', 422),
        (b'{"key": "k", "body": "\\ud800"}', 422),
        (b'{"key": "k", "body": "' + b"x" * 65537 + b'"}', 422),
        (b'{"key": "k", "body": "' + b"x" * 600_000 + b'"}', 413),
    ],
)
def test_what_cannot_be_stored_is_refused(
    ledger: httpx.Client, content: bytes, status: int
) -> None:
    """Never a 500: a canary reads that as "unknown", a 4xx as "refused"."""
    got = ledger.post("/v1/t/events", content=content)

    assert got.status_code == status
    assert got.json()["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/t/events/x", 422),
        ("/v1/t/events/0", 422),
        ("/v1/t/events/99999999999999999999", 422),
        ("/v1/t/events/999999", 404),
        ("/v1/UPPER/events/1", 422),
        ("/nowhere", 404),
        ("/v1/t/batch", 405),
    ],
)
def test_what_is_not_there_is_told_in_json(ledger: httpx.Client, path: str, status: int) -> None:
    """Clients parse errors, too."""
    got = ledger.get(path)

    assert got.status_code == status
    assert got.json()["error"]


def test_a_tenant_does_not_read_the_events_of_another(ledger: httpx.Client) -> None:
    """Numbers are shared by all tenants, so they are easily guessed."""
    seq = append(ledger, "private", "mine", tenant="one").json()["seq"]

    assert ledger.get(f"/v1/one/events/{seq}").json()["body"] == "mine"
    assert ledger.get(f"/v1/two/events/{seq}").status_code == 404


def test_requests_are_logged_with_their_id_and_without_their_content(
    ledger: httpx.Client, lab: Lab
) -> None:
    """An operator follows one request; a body may be somebody's secret."""
    body = {"key": "logged", "body": "do-not-log-me"}
    got = ledger.post("/v1/t/events", json=body, headers={"x-request-id": "trace-1"})
    give_up_at = time.monotonic() + 5  # the line is written after the answer has been sent
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < give_up_at:
        lines = (lab.root / "log" / "ledger-api.log").read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if "trace-1" in line]

    assert got.headers["x-request-id"] == "trace-1"
    assert [line["status"] for line in found] == [201]
    assert not any("do-not-log-me" in line for line in lines)
    assert 'ledger_requests_total{route="events",status="201"}' in ledger.get("/metrics").text


def test_a_frozen_database_is_told_within_a_second(
    ledger: httpx.Client, components: dict[str, Any]
) -> None:
    """A hang is the outage that health checks most often miss; the process itself stays healthy."""
    assert ledger.get("/readyz").status_code == 200
    pid = int(Path(components["ledger-db"]["control"]["pid-file"]).read_text("utf-8"))
    tree = [pid, *descendants(pid)]
    try:
        for each in tree:
            with contextlib.suppress(ProcessLookupError):  # an io worker comes and goes
                os.kill(each, signal.SIGSTOP)
        started = time.monotonic()
        answers = [ledger.get("/readyz").status_code for _ in range(4)]
        took_s = (time.monotonic() - started) / 4
        alive = ledger.get("/healthz").status_code
        refused = append(ledger, "frozen", "x").status_code
    finally:
        for each in reversed(tree):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)

    assert answers == [503] * 4
    assert took_s < 1
    assert alive == 200
    assert refused == 503
    assert recovered_after(ledger, 5.0) < 1.5


def test_it_serves_again_soon_after_its_database_does(
    ledger: httpx.Client, components: dict[str, Any]
) -> None:
    """A pool that waits longer with each failure would add its own outage to the database's."""
    control = components["ledger-db"]["control"]
    subprocess.run(control["stop"], check=True, capture_output=True)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert ledger.get("/readyz").status_code == 503
        assert ledger.get("/healthz").status_code == 200
    subprocess.run(control["start"], check=True, capture_output=True)

    assert recovered_after(ledger, 10.0) < 1.5


def recovered_after(ledger: httpx.Client, limit_s: float) -> float:
    """Seconds until it is ready and takes a write."""
    started = time.monotonic()
    while time.monotonic() - started < limit_s:
        if ledger.get("/readyz").status_code == 200:
            key = f"again-{time.monotonic_ns()}"
            if append(ledger, key, "x").status_code == 201:
                return time.monotonic() - started
        time.sleep(0.01)
    return limit_s
