"""The ledger's HTTP face, put together from its parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from proving_ground.ledger import defects
from proving_ground.ledger.access import Access, make_store
from proving_ground.ledger.backlog import Backlog
from proving_ground.ledger.breaker import BreakerMeters
from proving_ground.ledger.cache import Cache
from proving_ground.ledger.drain import Drain, Leaving
from proving_ground.ledger.events import Events
from proving_ground.ledger.guarded import Guarded
from proving_ground.ledger.headers import SecurityHeaders
from proving_ground.ledger.health import Health
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.notices import Notices
from proving_ground.ledger.observed import Observed
from proving_ground.ledger.proofs import MerkleEngine, Proofs
from proving_ground.ledger.refusals import HANDLERS
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.shedding import Shedding
from proving_ground.ledger.store import Store
from proving_ground.ledger.versions import VERSIONS, Labelled
from proving_ground.ledger.window import Window


class Part(Protocol):
    """A noun of the service with its own routes."""

    def routes(self) -> list[Route]: ...


class Client(Protocol):
    """Something that holds connections to a dependency."""

    async def close(self) -> None: ...


def make_app(settings: Settings, drain: Drain) -> tuple[ASGIApp, Access]:
    """The application, whose connections are opened and closed with it, and what guards it."""
    meters = Meters()
    version = VERSIONS[settings.version]
    store, dsn = make_store(settings, meters)
    access = Access(settings, meters, store, dsn)
    cache = _cache(settings, meters) if settings.cache_url else None
    window = Window(store, settings.idempotency_window_s)
    guarded = Guarded(store)
    events = Events(guarded, cache, version, window, meters)
    parts: list[Part] = [events, Health(settings, store, meters, drain), meters, access]
    clients: list[Client] = [cache] if cache else []
    breakers = BreakerMeters(meters.registry)
    if settings.engine_url:
        engine = MerkleEngine(settings, meters, breakers)
        if isinstance(store, Store):  # what is kept in memory has no checkpoints
            Backlog(store, meters)
        parts.append(Proofs(guarded, engine))
        clients.append(engine)
        if defects.on("ingest-waits-for-engine"):
            events.first = engine.ping
    if settings.notify_urls:
        notices = Notices(settings, meters, breakers)
        parts.append(notices)
        clients.append(notices)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        await access.open()
        yield
        for client in clients:
            await client.close()
        await access.close()
        await store.close()

    inner = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    shedding = Shedding(access.around(inner), settings.max_in_flight, meters)
    labelled = Labelled(Leaving(SecurityHeaders(shedding), drain), version.name, settings.instance)
    return Observed(labelled, meters), access


def _cache(settings: Settings, meters: Meters) -> Cache:
    path = settings.cache_password_file
    password = Path(path).read_text("utf-8").strip() if path else None
    return Cache(settings.cache_url, password, VERSIONS[settings.version], meters)
