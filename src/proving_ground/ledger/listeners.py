"""The service's ports: the main one and, where it is asked for, one for named clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn

from proving_ground.ledger.app import make_app
from proving_ground.ledger.drain import Drain, DrainingServer
from proving_ground.ledger.settings import Settings
from proving_ground.serving import config


class _Main(DrainingServer):
    """Takes the signals; what serves beside it ends with it."""

    beside: uvicorn.Server | None = None

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        ends = await super().on_tick(counter)
        if ends and self.beside:
            self.beside.should_exit = True
        return ends


class _Beside(uvicorn.Server):
    """Leaves the signals to the main one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: Settings, port: int) -> None:
    """Serve on every port until SIGTERM, then answer what was begun."""
    drain = Drain()
    app, access = make_app(settings, drain)
    contexts = [served.context for served in access.served]
    main = _Main(
        _listening(app, port, contexts[0] if contexts else None), drain, settings.drain_ms / 1000
    )
    if settings.mtls_port:
        from proving_ground.ledger.tls import protocol_for

        clients = [name.strip() for name in settings.mtls_clients.split(",")]
        beside = _listening(app, settings.mtls_port, contexts[1])
        beside.http, beside.lifespan = protocol_for(clients), "off"  # the main one opens the app
        main.beside = _Beside(beside)
    asyncio.run(_serve(main))


async def _serve(main: _Main) -> None:
    if main.beside is None:
        await main.serve()
        return
    await asyncio.gather(main.serve(), main.beside.serve())


def _listening(app: Any, port: int, context: Any) -> uvicorn.Config:
    return config(
        app,
        port,
        grace_s=5,
        # Longer than the switch keeps its idle connections: who closes one first must be the side
        # that sends requests, or a request is lost on the way.
        timeout_keep_alive=75,
        ssl_context_factory=(lambda *_: context) if context else None,
    )
