"""What the service counts, for ``/metrics``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proving_ground.ledger import defects

# Fine where the answers are: a percentile is known to within the width of its bucket.
_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)


class Meters:
    """One registry; each noun of the service adds its own to it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._looks: list[Callable[[], Awaitable[None]]] = []
        self.requests = Counter(
            "ledger_requests", "answers", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "ledger_request_seconds",
            "time to answer",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.appends = Counter("ledger_appends", "appends", ["outcome"], registry=self.registry)
        self.ready = Gauge(
            "ledger_ready", "1 when the last deep check was good", registry=self.registry
        )

    def before_showing(self, look: Callable[[], Awaitable[None]]) -> None:
        """Await this at every scrape, for what is only known when asked."""
        self._looks.append(look)

    def routes(self) -> list[Route]:
        return [Route("/metrics", self.show)]

    async def show(self, _: Request) -> Response:
        """All of them in Prometheus' text format."""
        for look in self._looks:
            await look()
        page = generate_latest(self.registry)
        if defects.on("metrics-malformed"):
            page += b"ledger_oops{route= 1\n"
        return Response(page, media_type=CONTENT_TYPE_LATEST)
