"""The ledger's HTTP face, put together from its parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.types import ASGIApp

from proving_ground.ledger.events import Events
from proving_ground.ledger.health import Health
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.observed import Observed
from proving_ground.ledger.refusals import HANDLERS
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Store


def make_app(settings: Settings) -> ASGIApp:
    """The application; its connections are opened and closed with it."""
    meters = Meters()
    store = Store(settings.dsn)
    parts = (Events(store, meters), Health(store, meters), meters)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        yield
        await store.close()

    inner = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    return Observed(inner, meters)
