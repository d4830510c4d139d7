"""The versions of the ledger that can be served. v2 and v3 are bad on purpose."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger import defects

_BURNS_ONE_IN = 4
_GOOD_FOR_S = 3.0  # long enough to look well when it is verified right after the switch

logger = logging.getLogger("ledger")


@dataclass(frozen=True, slots=True)
class Version:
    """One version."""

    name: str
    cache_format: int
    revision: str  # of the schema it is deployed with; it works with the trunk's as well
    burns_budget: bool = False  # after a while every fourth read fails
    is_healthy: bool = True


VERSIONS = {
    version.name: version
    for version in (
        Version("v1", 1, "trunk"),
        Version("v2", 2, "v2_source", burns_budget=True),
        Version("v3", 2, "v2_source", is_healthy=False),
    )
}


class Spoiled:
    """The fault of v2: good at first, then one read in four fails, once requests come."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._first_at: float | None = None
        self._count = 0

    def maybe_fail(self) -> None:
        """Raises the 500 that its users see."""
        if not self._version.burns_budget:
            return
        now = time.monotonic()
        self._first_at = self._first_at if self._first_at is not None else now
        self._count += 1
        if now - self._first_at > _GOOD_FOR_S and self._count % _BURNS_ONE_IN == 0:
            logger.error("a read failed", extra={"detail": f"{self._version.name} is bad"})
            raise HTTPException(500, "the read failed")


class Labelled:
    """Says in every answer which version and which replica gave it."""

    def __init__(self, inner: ASGIApp, version: str, instance: str) -> None:
        self._inner = inner
        served = "v1" if defects.on("hides-version") else version
        self._headers = [
            (b"x-ledger-version", served.encode()),
            (b"x-ledger-instance", instance.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._inner(scope, receive, answer)
