"""Events over HTTP: append one, read one."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import content_of, parse_event, seq_of, tenant_of
from proving_ground.ledger.store import Store


class Events:
    """``/v1/{tenant}/events``."""

    def __init__(self, store: Store, meters: Meters) -> None:
        self._store, self._meters = store, meters

    def routes(self) -> list[Route]:
        return [
            Route("/v1/{tenant}/events", self.append, methods=["POST"]),
            Route("/v1/{tenant}/events/{seq}", self.read),
        ]

    async def append(self, request: Request) -> Response:
        """201 for a new event, 200 for the same again, 409 for its key with another body."""
        tenant = tenant_of(request)
        key, body = parse_event(await content_of(request))
        done = await self._store.append(tenant, key, body)
        self._meters.appends.labels(done.outcome).inc()
        if done.outcome == "conflict":
            raise HTTPException(409, f"key {key!r} holds another body, as event {done.seq}")
        answer = {"seq": done.seq, "digest": done.digest}
        return JSONResponse(answer, 201 if done.outcome == "appended" else 200)

    async def read(self, request: Request) -> Response:
        """One event of the tenant."""
        seq = seq_of(request)
        found = await self._store.event(tenant_of(request), seq)
        if found is None:
            raise HTTPException(404, f"the tenant has no event {seq}")
        return JSONResponse(asdict(found))
