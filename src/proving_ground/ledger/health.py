"""Whether it lives, can serve, is in service: three questions that are never mixed."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.drain import Drain
from proving_ground.ledger.guarded import Driver
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Unavailable
from proving_ground.ledger.versions import VERSIONS
from proving_ground.slot import read_slot

logger = logging.getLogger("ledger")


class Health:
    """``/healthz``, ``/readyz``, ``/in-service`` and ``/version``."""

    def __init__(self, settings: Settings, store: Driver, meters: Meters, drain: Drain) -> None:
        self._store, self._meters, self._drain = store, meters, drain
        self._version, self._instance = VERSIONS[settings.version], settings.instance
        self._slot = Path(settings.slot) if settings.slot else None
        self._was_ready: bool | None = None

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/in-service", self.in_service),
            Route("/version", self.version),
        ]

    async def healthz(self, _: Request) -> Response:
        """The process answers; what it depends on is not its health."""
        if defects.on("alive-needs-database"):
            await self._store.ready()
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """A real query, answered in time, by a process that means to stay."""
        if defects.on("ready-without-database"):
            return JSONResponse({"status": "ready", "newest": 0})
        why = self._refusal()
        if why is None:
            try:
                newest = await self._store.ready()
            except Unavailable as err:
                why = str(err)
        if why is not None:
            self._turn(False, why)
            return JSONResponse({"status": "not ready", "why": why}, 503)
        self._turn(True, f"newest event {newest}")
        return JSONResponse({"status": "ready", "newest": newest})

    async def in_service(self, _: Request) -> Response:
        """What the switch asks. The database is left out: it is the same for every replica, and
        one that says what is wrong is worth more than none.
        """
        why = self._refusal()
        if why is None and self._slot is not None and not defects.on("ignores-slot"):
            names = read_slot(self._slot)
            why = None if self._instance in names else f"in service: {', '.join(names) or 'none'}"
        if why is not None:
            return JSONResponse({"status": "out of service", "why": why}, 503)
        return JSONResponse({"status": "in service"})

    async def version(self, _: Request) -> Response:
        """What is served here, and with which schema."""
        found = {"version": self._version.name, "instance": self._instance}
        return JSONResponse(found | {"revision": await self._store.revision()})

    def _refusal(self) -> str | None:
        if self._drain.is_on:
            return "draining"
        return None if self._version.is_healthy else f"{self._version.name} is not healthy"

    def _turn(self, ready: bool, detail: str) -> None:
        self._meters.ready.set(ready)
        if ready != self._was_ready:
            self._was_ready = ready
            level = logging.INFO if ready else logging.WARNING
            logger.log(level, "ready" if ready else "not ready", extra={"detail": detail})
