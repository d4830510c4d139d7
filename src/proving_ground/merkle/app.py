"""The engine's HTTP face: proofs, checkpoints, and whether they are fresh."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.merkle.engine import Engine, EngineMeters, NotCovered
from proving_ground.merkle.feed import Feed

_SEQ_MAX = 2**63 - 1
_SLOW_S = 5.0  # the defect's; longer than anybody waits
_SLOW_START_S = 22.0  # another defect's


class EngineApp:
    """Routes over one engine."""

    def __init__(self, engine: Engine, feed: Feed, meters: EngineMeters) -> None:
        self._engine, self._feed, self._meters = engine, feed, meters
        self._requests = Counter(
            "engine_requests", "answers", ["route", "status"], registry=meters.registry
        )

    def app(self) -> Starlette:
        """The application; it follows the events while it serves."""
        routes = {
            "/proofs/{seq}": self.proof,
            "/consistency": self.consistency,
            "/checkpoint": self.checkpoint,
            "/key": self.key,
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
        }

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            if defects.on("restarts-slowly") and await self._feed.newest_note():
                await asyncio.sleep(_SLOW_START_S)
            work = asyncio.create_task(self._engine.follow())
            yield
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await self._feed.close()

        made = [Route(path, self._counted(path, ask)) for path, ask in routes.items()]
        return Starlette(routes=made, lifespan=lifespan)

    async def proof(self, request: Request) -> Response:
        """404 for an event that no checkpoint covers yet; asking later is the next move."""
        if defects.on("engine-answers-500"):
            return JSONResponse({"error": "a defect"}, 500)
        if defects.on("engine-slow"):
            await asyncio.sleep(_SLOW_S)
        seq = _number(request.path_params["seq"])
        if seq is None:
            return JSONResponse({"error": "seq: expected a positive number"}, 422)
        try:
            found = self._engine.proof(seq)
        except NotCovered as err:
            return JSONResponse({"error": str(err)}, 404, headers={"retry-after": "1"})
        return JSONResponse(
            {
                "seq": seq,
                "index": found.index,
                "size": found.size,
                "leaf_hash": found.leaf.hex(),
                "proof": [node.hex() for node in found.path],
                "checkpoint": found.checkpoint,
            }
        )

    async def consistency(self, request: Request) -> Response:
        """``?old=SIZE&new=SIZE``: that nothing was rewritten between two checkpoints."""
        sizes = [_number(request.query_params.get(name, "")) for name in ("old", "new")]
        old, new = sizes
        if old is None or new is None:
            return JSONResponse({"error": "old and new: expected positive numbers"}, 422)
        try:
            path = self._engine.consistency(old, new)
        except NotCovered as err:
            return JSONResponse({"error": str(err)}, 404)
        return JSONResponse({"old": old, "new": new, "proof": [node.hex() for node in path]})

    async def checkpoint(self, _: Request) -> Response:
        """The newest one that is stored, as the signed text."""
        note = self._engine.note
        if note is None:
            return JSONResponse({"error": "no checkpoint is signed yet"}, 404)
        return PlainTextResponse(note)

    async def key(self, _: Request) -> Response:
        """The public key; who trusts it from here trusts whoever answers here."""
        key = self._engine.public_key
        return Response(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    async def healthz(self, _: Request) -> Response:
        """The process answers; what it depends on is not its health."""
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """Whether it follows the events."""
        why = self._engine.why_not_ready()
        if why:
            return JSONResponse({"status": "not ready", "why": why}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._meters.registry), media_type=CONTENT_TYPE_LATEST)

    def _counted(
        self, path: str, ask: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        route = path.split("/")[1]

        async def counted(request: Request) -> Response:
            answer = await ask(request)
            self._requests.labels(route, str(answer.status_code)).inc()
            return answer

        return counted


def _number(text: str) -> int | None:
    found = int(text[:20]) if text.isascii() and text.isdigit() else 0
    return found if 0 < found <= _SEQ_MAX else None
