"""Questions at absolute due times, each on its own, none waiting for the one before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import ceil

from fireproof.probes.attempt import Attempt, Target
from fireproof.probes.observer import Observer
from fireproof.probes.rows import RowWriter
from fireproof.probes.status import Status

_FLUSH_S = 0.1


class Schedule:
    """Runs until ``stop``; every slot of the schedule leaves a row, sent or not."""

    def __init__(
        self,
        target: Target,
        observer: Observer,
        rows: RowWriter,
        status: Status,
        *,
        period_ns: int,
        timeout_ns: int,
        failed: Callable[[OSError], None],
    ) -> None:
        self._target, self._observer, self._rows, self._status = target, observer, rows, status
        self._period_ns, self._timeout_ns = period_ns, timeout_ns
        self._cap = max(1, ceil(timeout_ns / period_ns))
        self._in_flight: dict[int, Attempt] = {}  # by slot, so the oldest comes first
        self._slot = 0
        self._stopping = False
        self._idle = asyncio.Event()
        self._failed = failed
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """From now until stopped and the last question has its end."""
        self._start_ns = time.monotonic_ns() + self._period_ns
        self._timer = self._loop.call_later(0, self._tick)
        flusher = self._loop.call_later(_FLUSH_S, self._flush)
        self._flusher = flusher
        await self._idle.wait()
        self._flusher.cancel()
        self._flush(again=False)

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
        try:
            while True:
                due_ns = self._start_ns + self._slot * self._period_ns
                now_ns = time.monotonic_ns()
                if now_ns < due_ns:
                    break
                self._ask(self._slot, due_ns, now_ns)
                self._slot += 1
        except OSError as error:
            self._failed(error)
            return
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
        self._in_flight[slot] = Attempt(
            self._target,
            self._observer.question(slot, now_ns),
            slot=slot,
            due_ns=due_ns,
            deadline_ns=deadline_ns,
            ended=self._ended,
        )

    def _ended(self, attempt: Attempt) -> None:
        self._in_flight.pop(attempt.slot, None)
        try:
            good = self._observer.ended(attempt)
        except OSError as error:
            self._failed(error)
            return
        self._status.observed(good, attempt.done_ns)
        if self._stopping and not self._in_flight:
            self._idle.set()

    def _flush(self, again: bool = True) -> None:
        try:
            self._rows.flush()
        except OSError as error:
            self._failed(error)
            return
        self._status.rows = self._rows.rows
        if again:
            self._flusher = self._loop.call_later(_FLUSH_S, self._flush)
