"""The ledger's HTTP face, put together from its parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.types import ASGIApp

from proving_ground.ledger.access import Access, make_store
from proving_ground.ledger.events import Events
from proving_ground.ledger.guarded import Guarded
from proving_ground.ledger.headers import SecurityHeaders
from proving_ground.ledger.health import Health
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.observed import Observed
from proving_ground.ledger.refusals import HANDLERS
from proving_ground.ledger.settings import Settings


def make_app(settings: Settings) -> tuple[ASGIApp, Access]:
    """The application, whose connections are opened and closed with it, and what guards it."""
    meters = Meters()
    store, dsn = make_store(settings)
    access = Access(settings, meters, store, dsn)
    parts = (Events(Guarded(store), meters), Health(store, meters), meters, access)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        await access.open()
        yield
        await access.close()
        await store.close()

    inner = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    return Observed(SecurityHeaders(access.around(inner)), meters), access
