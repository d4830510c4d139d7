"""The ledger and the Merkle engine as they stand in the lab."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.note import ORIGIN, load_public_key, verify_note
from proving_ground.merkle.proof import verify_inclusion
from support.ledger import control, metric, stopped, until

pytestmark = pytest.mark.component

_keys = itertools.count()


@pytest.fixture
def ledger(components: dict[str, Any]) -> Iterator[httpx.Client]:
    """With everything drained and the breaker closed before and after."""
    component = components["ledger-proofs"]
    with httpx.Client(base_url=component["url"], timeout=5) as client:
        yield client
        control(components["merkle-engine"], "start")
        until(lambda: client.get("/v1/t/proofs/1").status_code in (200, 404))
        until(lambda: metric(component, "ledger_backlog_events") == 0)


def append(ledger: httpx.Client, count: int = 1) -> list[int]:
    numbers = []
    for _ in range(count):
        event = {"key": f"key-{next(_keys)}", "body": "ä body"}
        got = ledger.post("/v1/t/events", json=event)
        assert got.status_code == 201, got.text
        numbers.append(int(got.json()["seq"]))
    return numbers


def engine_pid(components: dict[str, Any]) -> int:
    path = Path(components["merkle-engine"]["control"]["pid-file"])
    return int(path.read_text().split()[0])


def replay(components: dict[str, Any], *words: str) -> tuple[int, dict[str, Any]]:
    engine, database = components["merkle-engine"], components["ledger-db"]
    argv = [engine["replay"], *words, "--key", engine["public-key"], "--dsn", database["dsn"]]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_an_auditor_can_check_every_event_with_the_public_key_alone(
    ledger: httpx.Client, components: dict[str, Any]
) -> None:
    """From the body, the proof and the checkpoint; nothing else of ours is asked."""
    numbers = append(ledger, 7)
    until(lambda: ledger.get(f"/v1/t/proofs/{numbers[-1]}").status_code == 200)
    key = load_public_key(Path(components["merkle-engine"]["public-key"]))

    for seq in numbers:
        event = ledger.get(f"/v1/t/events/{seq}").json()
        proof = ledger.get(f"/v1/t/proofs/{seq}").json()
        point = verify_note(proof["checkpoint"], key, ORIGIN)
        path = [bytes.fromhex(node) for node in proof["proof"]]
        leaf = leaf_hash(seq, event["tenant"], event["key"], event["body"])
        verify_inclusion(leaf, seq - 1, point.size, path, point.root)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/u/proofs/1", 404), ("/v1/t/proofs/999999", 404), ("/v1/t/proofs/x", 422)],
)
def test_a_proof_of_what_is_not_the_tenants_is_refused(
    ledger: httpx.Client, path: str, status: int
) -> None:
    """As its event is; the engine is not even asked."""
    append(ledger)

    got = ledger.get(path)

    assert got.status_code == status
    assert got.json()["error"]


@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_ingest_goes_on_without_the_engine_and_everything_is_proved_after(
    ledger: httpx.Client, components: dict[str, Any], harm: str
) -> None:
    """Killed or stopped: the backlog is seen, proofs are refused in time, then all is drained."""
    proofs = components["ledger-proofs"]
    first = append(ledger)[0]
    until(lambda: ledger.get(f"/v1/t/proofs/{first}").status_code == 200)
    pid = engine_pid(components)
    os.kill(pid, signal.SIGKILL if harm == "kill" else signal.SIGSTOP)
    try:
        numbers = append(ledger, 40)
        statuses = [ledger.get(f"/v1/t/proofs/{first}").status_code for _ in range(8)]
        started = time.monotonic()
        got = ledger.get(f"/v1/t/proofs/{first}")
        took_s = time.monotonic() - started
        time.sleep(0.3)
        backlog = metric(proofs, "ledger_backlog_events")
        lag_s = metric(proofs, "ledger_checkpoint_lag_seconds")
        state = metric(proofs, 'ledger_breaker_state{dependency="merkle-engine"}')
    finally:
        if harm == "pause":
            os.kill(pid, signal.SIGCONT)
    control(components["merkle-engine"], "start")
    drained_s = until(lambda: metric(proofs, "ledger_backlog_events") == 0)

    assert set(statuses) == {503}
    assert got.json()["error"].endswith("its circuit breaker is open")
    assert int(got.headers["retry-after"]) >= 1
    assert took_s < 0.25  # fast: the timeout of one attempt alone is 0.3 s
    assert backlog == 40
    assert lag_s > 0.25
    assert state == 2
    assert drained_s < 5
    until(lambda: ledger.get(f"/v1/t/proofs/{first}").status_code == 200)
    assert all(ledger.get(f"/v1/t/proofs/{seq}").status_code == 200 for seq in numbers)
    assert metric(proofs, 'ledger_breaker_state{dependency="merkle-engine"}') == 0


def test_the_log_replays_and_every_spoiled_copy_of_it_is_refused(
    ledger: httpx.Client, components: dict[str, Any], tmp_path: Path
) -> None:
    """The database of the lab, not a fixture; and the state is the same from an export."""
    for _ in range(3):
        last = append(ledger, 3)[-1]
        until(lambda seq=last: ledger.get(f"/v1/t/proofs/{seq}").status_code == 200)  # type: ignore[misc]
    code, found = replay(components, "check", "--times", "2")
    refused_code, refused = replay(components, "refusals")

    assert code == 0
    assert found["proved"] == found["events"] >= 9
    assert found["checkpoints"] >= 3
    assert refused_code == 0
    assert refused["shown"] == refused["refused"] == 11


@pytest.mark.full
def test_a_checkpoint_that_was_shown_survives_a_kill(
    ledger: httpx.Client, components: dict[str, Any], tmp_path: Path
) -> None:
    """Again and again, in the middle of the work; each one seen is still in the log."""
    engine, seen = components["merkle-engine"], tmp_path / "seen.jsonl"
    lines: dict[str, None] = {}
    for _ in range(4):
        append(ledger, 5)
        give_up_at = time.monotonic() + 0.15
        while time.monotonic() < give_up_at:
            lines[httpx.get(engine["url"] + "/checkpoint").text] = None
        os.kill(engine_pid(components), signal.SIGKILL)
        control(engine, "start")
    rows = [{"number": place, "note": note} for place, note in enumerate(lines, start=1)]
    seen.write_text("".join(json.dumps(row) + "\n" for row in rows))

    code, found = replay(components, "check", "--known", str(seen))

    assert (code, found["known"]) == (0, len(rows))
    assert len(rows) >= 4


def test_the_engine_can_change_nothing(components: dict[str, Any]) -> None:
    """Append-only is a right that is missing: of events and of checkpoints."""
    dsn = components["ledger-db"]["dsn"].replace("user=reader", "user=engine")
    for statement in (
        "UPDATE events SET body = ''",
        "INSERT INTO events VALUES (1000, 't', 'k', 'b', 'd')",
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "TRUNCATE checkpoints",
    ):
        with psycopg.connect(dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_a_duplicate_has_its_answer_inside_the_window_and_a_refusal_after(
    components: dict[str, Any],
) -> None:
    """Either way there is one event."""
    component = components["ledger-window"]
    event = {"key": "window", "body": "b"}
    with httpx.Client(base_url=component["url"]) as client:
        first, again = (client.post("/v1/t/events", json=event) for _ in range(2))
        time.sleep(float(component["window-seconds"]) + 0.2)
        late = client.post("/v1/t/events", json=event)
    with psycopg.connect(components["ledger-db"]["dsn"]) as conn:
        count = conn.execute("SELECT count(*) FROM events WHERE key LIKE 'window%'").fetchone()

    assert (first.status_code, again.status_code, late.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert "outside the idempotency window of 2 s" in late.json()["error"]
    assert count == (1,)


@pytest.mark.full
def test_when_the_database_is_away_the_backlog_is_unknown_not_zero(
    ledger: httpx.Client, components: dict[str, Any]
) -> None:
    """And metrics still come, with the engine saying that it does not follow."""
    database, engine = components["ledger-db"], components["merkle-engine"]
    append(ledger)
    pid = int(Path(database["data-directory"], "postmaster.pid").read_text().split()[0])
    with stopped(pid):
        value = metric(components["ledger-proofs"], "ledger_backlog_events")
        until(lambda: httpx.get(engine["url"] + "/readyz").status_code == 503, 5)

    assert value != value  # NaN
    until(lambda: httpx.get(engine["url"] + "/readyz").status_code == 200)


def test_beyond_its_limit_the_service_sheds_load_and_says_so(components: dict[str, Any]) -> None:
    """Sixty-four clients hold the line; the next is told at once to come later, health is not."""
    component = components["ledger-proofs"]
    before = metric(component, "ledger_shed_total")
    head = b"POST /v1/t/events HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(64):
            address = ("127.0.0.1", int(component["port"]))
            line = held.enter_context(socket.create_connection(address, timeout=5))
            line.sendall(head)
        until(lambda: metric(component, "ledger_in_flight") == 64)
        refused = httpx.get(component["url"] + "/v1/t/events/1")
        ready = httpx.get(component["url"] + "/readyz").status_code
    until(lambda: metric(component, "ledger_in_flight") == 0)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "64 requests are under way" in refused.json()["error"]
    assert ready == 200
    assert metric(component, "ledger_shed_total") - before == 1
    assert httpx.get(component["url"] + "/v1/t/events/1").status_code in (200, 404)
