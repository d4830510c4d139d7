"""Leaving without dropping anybody: first say so, then wait, then finish what was begun."""

from __future__ import annotations

import logging
import os
import time
from types import FrameType

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger import defects

logger = logging.getLogger("ledger")


class Drain:
    """Whether this process is on its way out."""

    def __init__(self) -> None:
        self.since: float | None = None

    @property
    def is_on(self) -> bool:
        """Nobody should send more here."""
        return self.since is not None and not defects.on("ready-while-draining")


class DrainingServer(uvicorn.Server):
    """On SIGTERM it goes on serving for ``delay_s``, not ready, before it stops accepting."""

    def __init__(self, config: uvicorn.Config, drain: Drain, delay_s: float) -> None:
        super().__init__(config)
        self._drain, self._delay_s = drain, delay_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. Second: at once."""
        if defects.on("drops-requests-on-shutdown"):
            os._exit(0)
        if self._drain.since is not None:
            super().handle_exit(sig, frame)
            return
        self._drain.since = time.monotonic()
        self._captured_signals.append(sig)  # what uvicorn raises again once it has ended
        logger.info("draining", extra={"detail": f"for {self._delay_s:g} s"})

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        since = self._drain.since
        delay_s = 12.0 if defects.on("leaves-late") else self._delay_s
        if since is not None and time.monotonic() - since >= delay_s:
            self.should_exit = True
        if since is not None and defects.on("cuts-what-was-begun"):
            self.should_exit = False  # once everybody else has gone
            if time.monotonic() - since >= delay_s + 2.0:
                os._exit(0)
        return await super().on_tick(counter)


class Leaving:
    """While it drains, each answer tells its client not to come back on the same connection."""

    def __init__(self, inner: ASGIApp, drain: Drain) -> None:
        self._inner, self._drain = inner, drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and self._drain.is_on:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        refuses = self._drain.is_on and defects.on("refuses-while-draining")
        if refuses and scope["path"].startswith("/v1/"):  # its faces go on
            await PlainTextResponse("leaving", 503)(scope, receive, answer)
            return
        await self._inner(scope, receive, answer)
