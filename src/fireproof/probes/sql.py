"""One query on one fresh login, without a thread and without waiting: libpq, step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_MAX_VALUE = 64 * 1024


class SqlAttempt:
    """Connects, logs in, asks, reads the last result, and hangs up."""

    def __init__(
        self,
        dsn: bytes,
        query: bytes,
        *,
        slot: int,
        due_ns: int,
        deadline_ns: int,
        ended: Callable[[SqlAttempt], None],
    ) -> None:
        import psycopg

        self.slot, self.due_ns, self.deadline_ns = slot, due_ns, deadline_ns
        self.done_ns = 0
        self.connected_ns: int | None = None
        self.end = ""
        self.why = ""
        self.value: str | None = None  # of a result of one row and one column
        self._query, self._ended = query, ended
        self._pq, self._errors = psycopg.pq, (psycopg.Error, OSError)
        self._watched: int | None = None
        self._answers = 0
        self._loop = asyncio.get_running_loop()
        left_s = (deadline_ns - time.monotonic_ns()) / 1e9
        self._timer = self._loop.call_later(max(0.0, left_s), self.expire)
        self.sent_ns = time.monotonic_ns()
        # Resolves a host name in this thread; addresses cost nothing.
        self._conn: PGconn = psycopg.pq.PGconn.connect_start(dsn)
        # Not from within the constructor: the schedule has to know the attempt before its end.
        self._loop.call_soon(self._connect)

    def expire(self) -> None:
        """Time is up."""
        self._finish("timeout", "timeout")

    def _connect(self) -> None:
        if self.end:
            return
        try:
            polled = self._conn.connect_poll()
            state = self._pq.PollingStatus
            if polled == state.READING:
                self._watch(self._loop.add_reader, self._connect)
            elif polled == state.WRITING:
                self._watch(self._loop.add_writer, self._connect)
            elif polled == state.OK:
                self.connected_ns = time.monotonic_ns()
                self._conn.nonblocking = 1
                self._conn.send_query(self._query)
                self._flush()
            else:
                self._fail()
        except self._errors:
            self._fail()

    def _flush(self) -> None:
        if self.end:
            return
        try:
            if self._conn.flush():
                self._watch(self._loop.add_writer, self._flush)
            else:
                self._watch(self._loop.add_reader, self._read)
        except self._errors:
            self._fail()

    def _read(self) -> None:
        if self.end:
            return
        try:
            self._conn.consume_input()
            while not self._conn.is_busy():
                result = self._conn.get_result()
                if result is None:
                    why = "" if self._answers else "no answer"
                    return self._finish("answered" if self._answers else "error", why)
                status = self._pq.ExecStatus
                if result.status not in (status.TUPLES_OK, status.COMMAND_OK):
                    return self._fail()
                self._answers += 1
                one = (result.ntuples, result.nfields) == (1, 1)
                raw = result.get_value(0, 0) if one else None
                short = raw is not None and len(raw) <= _MAX_VALUE
                self.value = raw.decode("utf-8", "replace") if raw is not None and short else None
        except self._errors:
            self._fail()

    def _watch(self, add: Callable[..., None], then: Callable[[], None]) -> None:
        """Wait for the socket; libpq may have changed it since the last look."""
        self._unwatch()
        self._watched = self._conn.socket
        add(self._watched, then)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    def _fail(self) -> None:
        text = self._conn.error_message.decode("utf-8", "replace").lower()
        if "connection refused" in text:
            self._finish("refused", "connection refused")
        elif "reset by peer" in text or "closed the connection" in text or "broken pipe" in text:
            self._finish("reset", "connection reset")
        else:
            self._finish("error", "error")

    def _finish(self, end: str, why: str) -> None:
        if self.end:
            return
        self.done_ns = time.monotonic_ns()
        self.end, self.why = end, why
        self._timer.cancel()
        self._unwatch()
        self._conn.finish()
        self._ended(self)
