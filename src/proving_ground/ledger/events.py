"""Events over HTTP: append one or several, read one, a page or all."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.cache import Cache
from proving_ground.ledger.guarded import Guarded, allowed
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import (
    caller_of,
    content_of,
    page_of,
    parse_event,
    parse_events,
    seq_of,
    tenant_of,
)
from proving_ground.ledger.versions import Spoiled, Version
from proving_ground.ledger.wear import Wear
from proving_ground.ledger.window import Window

_EXPORT_PAGE = 500

logger = logging.getLogger("ledger")


class Events:
    """``/v1/{tenant}/events``."""

    def __init__(
        self, store: Guarded, cache: Cache | None, version: Version, window: Window, meters: Meters
    ) -> None:
        self._store, self._cache, self._meters = store, cache, meters
        self._spoiled, self._window = Spoiled(version), window
        self._asked = 0  # appends; for defects only
        self._wear = Wear()
        self.first: Callable[[], Awaitable[None]] | None = None  # for a defect only

    def routes(self) -> list[Route]:
        return [
            Route("/v1/{tenant}/events", self.append, methods=["POST"]),
            Route("/v1/{tenant}/events", self.page),
            Route("/v1/{tenant}/batch", self.append_all, methods=["POST"]),
            Route("/v1/{tenant}/export", self.export),
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
        self._asked += 1
        if defects.on("fails-when-cold") and self._asked <= 10:
            raise HTTPException(503, "still cold")
        if defects.on("spoils-appends"):
            self._spoiled.maybe_fail()
        if defects.on("acknowledges-unstored") and self._asked % 50 == 0:
            return JSONResponse({"seq": 0, "digest": "0" * 64}, 201)
        self._wear.append()
        if defects.on("duplicate-booked-twice"):
            key = f"{key}#{uuid.uuid4().hex}"
        done = await self._store.append(caller_of(request), tenant, key, body)
        self._meters.appends.labels(done.outcome).inc()
        if done.outcome == "conflict":
            raise HTTPException(409, f"key {key!r} holds another body, as event {done.seq}")
        if done.outcome == "same":
            await self._window.refuse_late(tenant, key, done.seq)
        answer = {"seq": done.seq, "digest": done.digest}
        return JSONResponse(answer, 201 if done.outcome == "appended" else 200)

    async def read(self, request: Request) -> Response:
        """One event of the tenant."""
        caller, tenant, seq = caller_of(request), tenant_of(request), seq_of(request)
        self._spoiled.maybe_fail()
        await self._wear.read()
        allowed(caller, "read", tenant)  # the cache asks nobody
        kept = await self._cache.read(tenant, seq) if self._cache else None
        if kept is not None:
            return JSONResponse(kept, headers={"x-cache": "hit"})
        found = await self._store.event(caller, tenant, seq)
        if found is None:
            raise HTTPException(404, f"the tenant has no event {seq}")
        event = asdict(found)
        if self._cache:
            await self._cache.keep(tenant, seq, event)
        return JSONResponse(event, headers={"x-cache": "miss"} if self._cache else None)

    async def page(self, request: Request) -> Response:
        """The tenant's events after a number, oldest first."""
        after, limit = page_of(request)
        found = await self._store.events(caller_of(request), tenant_of(request), after, limit)
        return JSONResponse({"events": [asdict(event) for event in found]})

    async def append_all(self, request: Request) -> Response:
        """All of a batch or none: 201, or 409 when a key of it holds another body."""
        tenant = tenant_of(request)
        events = parse_events(await content_of(request))
        done = await self._store.append_all(caller_of(request), tenant, events)
        for each in done:
            self._meters.appends.labels(each.outcome).inc()
        return JSONResponse({"events": [asdict(each) for each in done]}, 201)

    async def export(self, request: Request) -> Response:
        """Every event of the tenant, one JSON object a line."""
        caller, tenant = caller_of(request), tenant_of(request)
        first = await self._store.events(
            caller, tenant, 0, _EXPORT_PAGE
        )  # refuses before it begins

        async def lines() -> AsyncIterator[str]:
            page = first
            while page:
                for event in page:
                    yield json.dumps(asdict(event), ensure_ascii=False) + "\n"
                page = await self._store.events(caller, tenant, page[-1].seq, _EXPORT_PAGE)

        return StreamingResponse(lines(), media_type="application/x-ndjson")
