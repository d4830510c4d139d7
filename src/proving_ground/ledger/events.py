"""Events over HTTP: append one, read one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.cache import Cache
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import content_of, parse_event, seq_of, tenant_of
from proving_ground.ledger.store import Store
from proving_ground.ledger.versions import Spoiled, Version
from proving_ground.ledger.window import Window

logger = logging.getLogger("ledger")


class Events:
    """``/v1/{tenant}/events``."""

    def __init__(
        self, store: Store, cache: Cache | None, version: Version, window: Window, meters: Meters
    ) -> None:
        self._store, self._cache, self._meters = store, cache, meters
        self._spoiled, self._window = Spoiled(version), window
        self.first: Callable[[], Awaitable[None]] | None = None  # for a defect only

    def routes(self) -> list[Route]:
        return [
            Route("/v1/{tenant}/events", self.append, methods=["POST"]),
            Route("/v1/{tenant}/events/{seq}", self.read),
        ]

    async def append(self, request: Request) -> Response:
        """201 for a new event, 200 for the same again inside the window, 409 for the same later and
        for its key with another body.
        """
        tenant = tenant_of(request)
        key, body = parse_event(await content_of(request))
        if defects.on("logs-bodies"):
            logger.info("event", extra={"detail": body})
        if self.first:
            await self.first()
        if defects.on("duplicate-booked-twice"):
            key = f"{key}#{uuid.uuid4().hex}"
        done = await self._store.append(tenant, key, body)
        self._meters.appends.labels(done.outcome).inc()
        if done.outcome == "conflict":
            raise HTTPException(409, f"key {key!r} holds another body, as event {done.seq}")
        if done.outcome == "same":
            await self._window.refuse_late(tenant, key, done.seq)
        answer = {"seq": done.seq, "digest": done.digest}
        return JSONResponse(answer, 201 if done.outcome == "appended" else 200)

    async def read(self, request: Request) -> Response:
        """One event of the tenant."""
        tenant, seq = tenant_of(request), seq_of(request)
        self._spoiled.maybe_fail()
        kept = await self._cache.read(tenant, seq) if self._cache else None
        if kept is not None:
            return JSONResponse(kept, headers={"x-cache": "hit"})
        found = await self._store.event(tenant, seq)
        if found is None:
            raise HTTPException(404, f"the tenant has no event {seq}")
        event = asdict(found)
        if self._cache:
            await self._cache.keep(tenant, seq, event)
        return JSONResponse(event, headers={"x-cache": "miss"} if self._cache else None)
