"""Around every request: an id, a line in the log, a place in the metrics."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BY_NAME = ("/healthz", "/readyz", "/in-service", "/version", "/metrics")
_QUIET = ("healthz", "readyz", "in-service")  # asked fifty times a second during a drill

logger = logging.getLogger("ledger")


class Observed:
    """The outermost layer of the application."""

    def __init__(self, inner: ASGIApp, meters: Meters) -> None:
        self._inner, self._meters = inner, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._inner(scope, receive, answer)
        except ClientDisconnect:
            status = 499
        finally:
            took_s = time.perf_counter() - started
            route = _route(scope)
            self._meters.requests.labels(route, str(status)).inc()
            unit = 1000 if defects.on("milliseconds-as-seconds") else 1
            self._meters.seconds.labels(route).observe(took_s * unit)
            if route not in _QUIET:
                extra = {
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "took_ms": round(took_s * 1000, 2),
                }
                logger.info("request", extra=extra)


def _request_id(scope: Scope) -> str:
    """The client's own, so that it finds its request in our log, or a new one."""
    given: str = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    if _REQUEST_ID.fullmatch(given) and not defects.on("no-request-id"):
        return given
    return uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """Few names, so that a stranger's paths do not grow the metrics."""
    path: str = scope["path"]
    if path in _BY_NAME:
        return path[1:]
    if not path.startswith("/v1/"):
        return "other"
    noun = path.split("/", 4)[3:4]
    return noun[0] if noun in (["proofs"], ["notices"]) else "events"
