"""The ledger's HTTP face, put together from its parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from proving_ground.ledger.access import Access, make_store
from proving_ground.ledger.cache import Cache
from proving_ground.ledger.drain import Drain, Leaving
from proving_ground.ledger.events import Events
from proving_ground.ledger.guarded import Guarded
from proving_ground.ledger.headers import SecurityHeaders
from proving_ground.ledger.health import Health
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.observed import Observed
from proving_ground.ledger.refusals import HANDLERS
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.versions import VERSIONS, Labelled


def make_app(settings: Settings, drain: Drain) -> tuple[ASGIApp, Access]:
    """The application, whose connections are opened and closed with it, and what guards it."""
    meters = Meters()
    version = VERSIONS[settings.version]
    store, dsn = make_store(settings, meters)
    access = Access(settings, meters, store, dsn)
    cache = _cache(settings, meters) if settings.cache_url else None
    parts = (
        Events(Guarded(store), cache, version, meters),
        Health(settings, store, meters, drain),
        meters,
        access,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        await access.open()
        yield
        await access.close()
        if cache:
            await cache.close()
        await store.close()

    inner = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    gated = SecurityHeaders(access.around(inner))
    labelled = Labelled(Leaving(gated, drain), version.name, settings.instance)
    return Observed(labelled, meters), access


def _cache(settings: Settings, meters: Meters) -> Cache:
    path = settings.cache_password_file
    password = Path(path).read_text("utf-8").strip() if path else None
    return Cache(settings.cache_url, password, VERSIONS[settings.version], meters)
