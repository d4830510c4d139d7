"""Questions at absolute due times, each on its own, none waiting for the one before."""

from __future__ import annotations

import asyncio
import time
from math import ceil

from fireproof.children.status import Status
from fireproof.probes.attempt import Attempt, StartAttempt
from fireproof.probes.observer import Observer
from fireproof.probes.rows import RowWriter

_FLUSH_S = 0.1


class Schedule:
    """Runs until ``stop``; every slot of the schedule leaves a row, sent or not."""

    def __init__(
        self,
        ask: StartAttempt,
        observer: Observer,
        rows: RowWriter,
        status: Status,
        *,
        period_ns: int,
        timeout_ns: int,
    ) -> None:
        self._start, self._observer, self._rows, self._status = ask, observer, rows, status
        self._period_ns, self._timeout_ns = period_ns, timeout_ns
        self._cap = max(1, ceil(timeout_ns / period_ns))
        self._in_flight: dict[int, Attempt] = {}  # by slot, so the oldest comes first
        self._slot = 0
        self._stopping = False
        self._idle = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """From now until stopped and the last question has its end."""
        self._start_ns = time.monotonic_ns() + self._period_ns
        self._timer = self._loop.call_later(0, self._tick)
        self._flusher = self._loop.call_later(_FLUSH_S, self._flush)
        await self._idle.wait()
        self._flusher.cancel()
        self._rows.close()
        self._status.rows = self._rows.rows

    def stop(self) -> None:
        """Ask nothing more; what is in flight still gets its time."""
        self._stopping = True
        self._timer.cancel()
        if not self._in_flight:
            self._idle.set()

    def _tick(self) -> None:
        """Everything that is due, then sleep until the next is."""
        if self._stopping:
            return
        while True:
            due_ns = self._start_ns + self._slot * self._period_ns
            now_ns = time.monotonic_ns()
            if now_ns < due_ns:
                break
            self._ask(self._slot, due_ns, now_ns)
            self._slot += 1
        # The event loop rounds up to a millisecond; that is lateness, measured like any other.
        self._timer = self._loop.call_later((due_ns - now_ns) / 1e9, self._tick)

    def _ask(self, slot: int, due_ns: int, now_ns: int) -> None:
        for oldest in list(self._in_flight.values()):
            if oldest.deadline_ns > now_ns:
                break
            oldest.expire()
        deadline_ns = due_ns + self._timeout_ns
        if now_ns >= deadline_ns or len(self._in_flight) >= self._cap:
            self._observer.not_sent(slot, due_ns, now_ns)
            self._status.observed(False, now_ns)
            return
        self._in_flight[slot] = self._start(
            self._observer.question(slot, now_ns),
            slot=slot,
            due_ns=due_ns,
            deadline_ns=deadline_ns,
            ended=self._ended,
        )

    def _ended(self, attempt: Attempt) -> None:
        self._in_flight.pop(attempt.slot, None)
        self._status.observed(self._observer.ended(attempt), attempt.done_ns)
        if self._stopping and not self._in_flight:
            self._idle.set()

    def _flush(self) -> None:
        self._rows.flush_behind()
        self._flusher = self._loop.call_later(_FLUSH_S, self._flush)
