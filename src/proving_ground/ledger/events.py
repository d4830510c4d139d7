"""Events over HTTP: append one, read one."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import content_of, parse_event, seq_of, tenant_of
from proving_ground.ledger.store import Store
from proving_ground.ledger.window import Window


class Events:
    """``/v1/{tenant}/events``."""

    def __init__(self, store: Store, meters: Meters, window: Window) -> None:
        self._store, self._meters, self._window = store, meters, window
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
        seq = seq_of(request)
        found = await self._store.event(tenant_of(request), seq)
        if found is None:
            raise HTTPException(404, f"the tenant has no event {seq}")
        return JSONResponse(asdict(found))
