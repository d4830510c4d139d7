"""Asked of the recovered ledger, through its front door and of its database.

Run by the step ``pytest``, which names every component in ``FP_<COMPONENT>_<KEY>``. It uses nothing
of the ledger's own code: a copy of a mistake would agree with the mistake.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import httpx
import psycopg
import pytest

URL = os.environ.get("FP_LEDGER_API_URL", "")
DSN = os.environ.get("FP_LEDGER_DB_DSN", "")
RUN = os.environ.get("FP_RUN", "by-hand")


def digest(previous: str, seq: int, tenant: str, key: str, body: str) -> str:
    """How an event is tied to the one before it."""
    texts = "".join(f"{len(text.encode())}:{text}" for text in (tenant, key, body))
    return hashlib.sha256(f"{previous} {seq} {texts}".encode()).hexdigest()


@pytest.fixture(scope="module")
def events() -> list[tuple[int, str, str, str, str]]:
    """Every event there is, in order."""
    with psycopg.connect(DSN) as conn:
        query = "SELECT seq, tenant, key, body, digest FROM events ORDER BY seq"
        return conn.execute(query).fetchall()


def test_the_service_is_ready() -> None:
    """Clients would be sent back to a service that cannot serve them."""
    assert httpx.get(f"{URL}/readyz", timeout=5).status_code == 200


def test_an_old_event_is_readable_and_proves_itself(
    events: list[tuple[int, str, str, str, str]],
) -> None:
    """Through the front door: the first event and its successor, as clients get them."""
    assert len(events) >= 2, "the drill writes before the fault; nothing of it was restored"
    answers = []
    for seq, tenant, *_ in events[:2]:
        answers.append(httpx.get(f"{URL}/v1/{tenant}/events/{seq}", timeout=5).json())

    previous = "0" * 64
    for got in answers:
        expected = digest(previous, got["seq"], got["tenant"], got["key"], got["body"])
        assert got["digest"] == expected
        previous = got["digest"]


def test_the_chain_is_whole_up_to_the_newest_event(
    events: list[tuple[int, str, str, str, str]],
    record_property: Callable[[str, object], None],
) -> None:
    """A hole, a swap or an edited body anywhere would be somebody's lost or forged record."""
    record_property("expected", "at least 1 event, each tied to the one before")
    record_property("observed", f"{len(events)} events")
    assert events, "the drill writes before the fault; nothing of it was restored"
    previous = "0" * 64
    for place, (seq, tenant, key, body, kept) in enumerate(events, start=1):
        assert seq == place, f"event {place} is missing"
        assert kept == digest(previous, seq, tenant, key, body), f"event {seq} was altered"
        previous = kept


def test_the_balances_still_cancel_out() -> None:
    """Rows lost or changed in the reference data show here, whatever their number."""
    with psycopg.connect(DSN) as conn:
        row = conn.execute("SELECT count(*), sum(balance), max(id) FROM accounts").fetchone()

    assert row is not None
    count, total, newest = row
    assert count > 0
    assert count == newest
    assert total == 0


def test_a_write_is_taken_once_and_follows_the_chain() -> None:
    """A ledger that can only be read is not recovered."""
    event = {"key": f"after-restore-{RUN}", "body": "written to the restored ledger"}
    first = httpx.post(f"{URL}/v1/verification/events", json=event, timeout=5)
    again = httpx.post(f"{URL}/v1/verification/events", json=event, timeout=5)

    assert first.status_code == 201
    assert again.status_code == 200
    assert first.json() == again.json()
