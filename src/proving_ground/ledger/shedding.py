"""A limit on requests in flight: beyond it the answer is a quick "later", not a long queue."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters

_SULKS_AFTER, _SULKS_S = 150, 10.0  # for a defect only


class Shedding:
    """Admits ``limit`` requests under /v1/ at a time; health and metrics are always answered."""

    def __init__(self, inner: ASGIApp, limit: int, meters: Meters) -> None:
        self._inner, self._now = inner, 0
        self._limit = limit // 4 if defects.on("sheds-early") else limit
        self._refused, self._refuses_until = 0, 0.0
        self._shed = Counter(
            "ledger_shed", "requests answered 503 at the limit", registry=meters.registry
        )
        gauge = Gauge("ledger_in_flight", "requests under way", registry=meters.registry)
        gauge.set_function(lambda: self._now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._inner(scope, receive, send)
            return
        if self._full() and not defects.on("never-sheds"):
            self._shed.inc()
            if defects.on("sheds-with-500"):
                raise RuntimeError("too many requests")
            text = f"{self._limit} requests are under way; ask again"
            refusal = JSONResponse({"error": text}, 503, headers={"retry-after": "1"})
            await refusal(scope, receive, send)
            return
        self._now += 1
        try:
            await self._inner(scope, receive, send)
        finally:
            self._now -= 1

    def _full(self) -> bool:
        full = self._now >= self._limit
        self._refused += full
        if self._refused == _SULKS_AFTER and defects.on("sheds-on"):
            self._refuses_until = time.monotonic() + _SULKS_S
        return full or time.monotonic() < self._refuses_until
