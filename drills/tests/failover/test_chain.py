"""Asked of the ledger that was away and is back. It uses nothing of the ledger's own code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import httpx
import psycopg

URL = os.environ.get("FP_LEDGER_HA_URL", "")
DSN = os.environ.get("FP_LEDGER_DB_DSN", "")
RUN = os.environ.get("FP_RUN", "by-hand")


def digest(previous: str, seq: int, tenant: str, key: str, body: str) -> str:
    """How an event is tied to the one before it."""
    texts = "".join(f"{len(text.encode())}:{text}" for text in (tenant, key, body))
    return hashlib.sha256(f"{previous} {seq} {texts}".encode()).hexdigest()


def test_the_chain_is_whole(record_property: Callable[[str, object], None]) -> None:
    """Two leaders, or a leader that was behind, leave a gap or a fork here."""
    with psycopg.connect(DSN) as conn:
        query = "SELECT seq, tenant, key, body, digest FROM events ORDER BY seq"
        events = conn.execute(query).fetchall()
    record_property("expected", "at least 1 event, each tied to the one before")
    record_property("observed", f"{len(events)} events")
    assert events, "the drill writes before the fault; nothing of it is there"
    previous = "0" * 64
    for place, (seq, tenant, key, body, kept) in enumerate(events, start=1):
        assert seq == place, f"event {place} is missing"
        assert kept == digest(previous, seq, tenant, key, body), f"event {seq} was altered"
        previous = kept


def test_a_write_is_taken_and_follows() -> None:
    """A ledger that can only be read is not back."""
    key = f"after-switch-back-{RUN}"
    answer = httpx.post(f"{URL}/v1/verification/events", json={"key": key, "body": "x"}, timeout=5)
    assert answer.status_code == 201
    with psycopg.connect(DSN) as conn:
        count = conn.execute("SELECT count(*) FROM events WHERE key = %s", (key,)).fetchone()
    assert count == (1,)
