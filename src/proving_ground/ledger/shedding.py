"""A limit on requests in flight: beyond it the answer is a quick "later", not a long queue."""

from __future__ import annotations

from prometheus_client import Counter, Gauge
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters


class Shedding:
    """Admits ``limit`` requests under /v1/ at a time; health and metrics are always answered."""

    def __init__(self, inner: ASGIApp, limit: int, meters: Meters) -> None:
        self._inner, self._limit, self._now = inner, limit, 0
        self._shed = Counter(
            "ledger_shed", "requests answered 503 at the limit", registry=meters.registry
        )
        gauge = Gauge("ledger_in_flight", "requests under way", registry=meters.registry)
        gauge.set_function(lambda: self._now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._inner(scope, receive, send)
            return
        if self._now >= self._limit and not defects.on("never-sheds"):
            self._shed.inc()
            text = f"{self._limit} requests are under way; ask again"
            refusal = JSONResponse({"error": text}, 503, headers={"retry-after": "1"})
            await refusal(scope, receive, send)
            return
        self._now += 1
        try:
            await self._inner(scope, receive, send)
        finally:
            self._now -= 1
