"""One question on one fresh connection, from just before the connect to the last byte."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fireproof.probes.http1 import NotHttp, Response


@dataclass(frozen=True, slots=True)
class Target:
    """Where questions go."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Attempt(Protocol):
    """One question of any kind. It has begun when it exists and ends exactly once."""

    slot: int
    due_ns: int
    deadline_ns: int
    sent_ns: int
    connected_ns: int | None
    done_ns: int
    end: str  # answered, timeout, refused, reset or error
    why: str

    def expire(self) -> None:
        """Time is up."""
        ...


class StartAttempt(Protocol):
    """Asks now; ``ended`` is told of its end."""

    def __call__(
        self,
        question: bytes,
        /,
        *,
        slot: int,
        due_ns: int,
        deadline_ns: int,
        ended: Callable[[Any], None],
    ) -> Attempt: ...


class HttpAttempt(asyncio.Protocol):
    """Ends exactly once, and tells ``ended`` how: answered, timeout, refused, reset or error."""

    __slots__ = (
        "_ended",
        "_loop",
        "_request",
        "_target",
        "_task",
        "_timer",
        "_transport",
        "connected_ns",
        "deadline_ns",
        "done_ns",
        "due_ns",
        "end",
        "response",
        "sent_ns",
        "slot",
        "why",
    )

    def __init__(
        self,
        target: Target,
        request: bytes,
        *,
        slot: int,
        due_ns: int,
        deadline_ns: int,
        ended: Callable[[HttpAttempt], None],
    ) -> None:
        self.slot, self.due_ns, self.deadline_ns = slot, due_ns, deadline_ns
        self.sent_ns = self.done_ns = 0
        self.connected_ns: int | None = None
        self.end = ""
        self.why = ""
        self.response = Response()
        self._target, self._request, self._ended = target, request, ended
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        left_s = (deadline_ns - time.monotonic_ns()) / 1e9
        self._timer = self._loop.call_later(max(0.0, left_s), self.expire)
        # Stamped here, before the task first runs: earlier than the connect, never later.
        self.sent_ns = time.monotonic_ns()
        self._task: asyncio.Task[None] | None = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        target = self._target
        try:
            await self._loop.create_connection(
                lambda: self, target.host, target.port, ssl=target.tls
            )
        except OSError as error:
            self._task = None  # this very task: nothing to cancel
            self._fail(error)
        except ValueError:  # a host name that no resolver takes
            self._task = None
            self._finish("error", "unusable address")

    def expire(self) -> None:
        """Time is up."""
        self._finish("timeout", "timeout")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.connected_ns = time.monotonic_ns()
        self._transport = transport
        if self.end:  # it ended while the connect was on its way
            transport.abort()
        elif self._request:
            transport.write(self._request)
        else:  # a connection was all that was wanted
            self._finish("answered", "")

    def data_received(self, data: bytes) -> None:
        if self.end:
            return
        try:
            if self.response.feed(data):
                self._finish("answered", "")
        except NotHttp as error:
            self._finish("error", str(error))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.end:
            return
        if exc is None:
            whole = self.response.end()
            self._finish("answered" if whole else "reset", "" if whole else "closed early")
        else:
            self._fail(exc)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ConnectionRefusedError):
            self._finish("refused", "connection refused")
        elif isinstance(error, ConnectionError):
            self._finish("reset", "connection reset")
        elif isinstance(error, TimeoutError):
            self._finish("timeout", "timeout")
        else:
            self._finish("error", f"{type(error).__name__}")

    def _finish(self, end: str, why: str) -> None:
        if self.end:
            return
        self.done_ns = time.monotonic_ns()
        self.end, self.why = end, why
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        elif self._task is not None and not self._task.done():
            self._task.cancel()
        self._ended(self)
        # No garbage is collected in this process, so cycles are cut by hand.
        self._task = self._transport = None
