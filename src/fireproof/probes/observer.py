"""What each kind of probe asks, and how an attempt becomes a sample row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from fireproof.model.sample import CANARY_HEADER, PROBE_HEADER, canary_body, canary_key
from fireproof.probes.attempt import Attempt, HttpAttempt
from fireproof.probes.http1 import request
from fireproof.probes.plugin import PluginAttempt
from fireproof.probes.rows import RowWriter
from fireproof.probes.sql import SqlAttempt


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that a request needs."""

    authority: str
    target: str


class Observer(Protocol):
    """Writes rows; ``ended`` and ``not_sent`` tell whether the observation was good."""

    header: str

    def question(self, slot: int, now_ns: int) -> bytes: ...
    def ended(self, attempt: Any) -> bool: ...
    def not_sent(self, slot: int, due_ns: int, now_ns: int) -> None: ...


class HttpObserver:
    """GET; good is the right status, the right content, and in time."""

    header = PROBE_HEADER

    def __init__(
        self,
        rows: RowWriter,
        address: Address,
        *,
        status: int,
        within_ns: int | None,
        contains: str | None,
    ) -> None:
        self._rows, self._status, self._within_ns = rows, status, within_ns
        self._contains = None if contains is None else contains.encode()
        self._request = request("GET", address.target, address.authority)

    def question(self, slot: int, now_ns: int) -> bytes:
        return self._request

    def ended(self, attempt: HttpAttempt) -> bool:
        answered = attempt.end == "answered"
        outcome = self._grade(attempt) if answered else attempt.end
        connected = "" if attempt.connected_ns is None else attempt.connected_ns
        status = attempt.response.status if answered else ""
        self._rows.add(
            f"{attempt.due_ns},{attempt.sent_ns},{connected},{attempt.done_ns},{status},{outcome}"
        )
        return outcome == "good"

    def not_sent(self, slot: int, due_ns: int, now_ns: int) -> None:
        self._rows.add(f"{due_ns},,,,,not-sent")

    def _grade(self, attempt: HttpAttempt) -> str:
        if attempt.response.status != self._status:
            return "bad-status"
        if self._contains is not None and self._contains not in attempt.response.body:
            return "bad-content"
        late = self._within_ns is not None and attempt.done_ns - attempt.sent_ns > self._within_ns
        return "slow" if late else "good"


class PlainObserver:
    """A connection, the answer to a query or of a plug-in; good is the right one, in time."""

    header = PROBE_HEADER

    def __init__(self, rows: RowWriter, *, within_ns: int | None, equals: str | None) -> None:
        self._rows, self._within_ns, self._equals = rows, within_ns, equals

    def question(self, slot: int, now_ns: int) -> bytes:
        return b""

    def ended(self, attempt: Attempt) -> bool:
        outcome = self._grade(attempt) if attempt.end == "answered" else attempt.end
        connected = "" if attempt.connected_ns is None else attempt.connected_ns
        self._rows.add(
            f"{attempt.due_ns},{attempt.sent_ns},{connected},{attempt.done_ns},,{outcome}"
        )
        return outcome == "good"

    def not_sent(self, slot: int, due_ns: int, now_ns: int) -> None:
        self._rows.add(f"{due_ns},,,,,not-sent")

    def _grade(self, attempt: Attempt) -> str:
        if isinstance(attempt, SqlAttempt) and self._equals not in (None, attempt.value):
            return "bad-content"
        if isinstance(attempt, PluginAttempt) and attempt.why:
            return "bad-content"
        late = self._within_ns is not None and attempt.done_ns - attempt.sent_ns > self._within_ns
        return "slow" if late else "good"


class CanaryObserver:
    """POST of a numbered record; its intent is with the kernel before the first byte is sent."""

    header = CANARY_HEADER

    def __init__(self, rows: RowWriter, address: Address, *, run: str) -> None:
        self._rows, self._address, self._run = rows, address, run

    def question(self, slot: int, now_ns: int) -> bytes:
        key = canary_key(self._run, slot)
        self._rows.add_now(f"intent,{slot},{now_ns},{key}")
        body = json.dumps({"key": key, "body": canary_body(self._run, slot)}).encode()
        return request(
            "POST",
            self._address.target,
            self._address.authority,
            body=body,
            headers=(f"Idempotency-Key: {key}",),
        )

    def ended(self, attempt: HttpAttempt) -> bool:
        status = attempt.response.status
        if attempt.end != "answered" or status is None:
            event, detail = "unknown", attempt.why
        elif 200 <= status <= 299:
            event, detail = "acked", ""
        elif 400 <= status <= 499:
            event, detail = "refused", str(status)
        else:
            event, detail = "unknown", f"status {status}"
        detail = detail.replace(",", ";")
        self._rows.add_now(f"{event},{attempt.slot},{attempt.done_ns},{detail}")
        return event == "acked"

    def not_sent(self, slot: int, due_ns: int, now_ns: int) -> None:
        self._rows.add_now(f"not-sent,{slot},{now_ns},")
