"""Whether it lives, and whether it can serve: two questions that are never mixed."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.store import Store, Unavailable

logger = logging.getLogger("ledger")


class Health:
    """``/healthz`` and ``/readyz``."""

    def __init__(self, store: Store, meters: Meters) -> None:
        self._store, self._meters = store, meters
        self._was_ready: bool | None = None

    def routes(self) -> list[Route]:
        return [Route("/healthz", self.healthz), Route("/readyz", self.readyz)]

    async def healthz(self, _: Request) -> Response:
        """The process answers; what it depends on is not its health."""
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """A real query, answered in time."""
        if defects.on("ready-without-database"):
            return JSONResponse({"status": "ready", "newest": 0})
        try:
            newest = await self._store.ready()
        except Unavailable as err:
            self._turn(False, str(err))
            return JSONResponse({"status": "not ready", "why": str(err)}, 503)
        self._turn(True, f"newest event {newest}")
        return JSONResponse({"status": "ready", "newest": newest})

    def _turn(self, ready: bool, detail: str) -> None:
        self._meters.ready.set(ready)
        if ready != self._was_ready:
            self._was_ready = ready
            level = logging.INFO if ready else logging.WARNING
            logger.log(level, "ready" if ready else "not ready", extra={"detail": detail})
