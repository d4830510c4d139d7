"""The ledger's HTTP face."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger.store import Store, Unavailable

_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY_CHARS_MAX = 200
_BODY_BYTES_MAX = 65536
_REQUEST_BYTES_MAX = 8 * _BODY_BYTES_MAX  # JSON may escape each character
_SEQ_MAX = 2**63 - 1

logger = logging.getLogger("ledger")


class Ledger:
    """Routes and metrics over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._was_ready: bool | None = None
        registry = CollectorRegistry()
        self._registry = registry
        self.requests = Counter(
            "ledger_requests", "answers", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "ledger_request_seconds", "time to answer", ["route"], registry=registry
        )
        self._appends = Counter("ledger_appends", "appends", ["outcome"], registry=registry)
        self._ready = Gauge(
            "ledger_ready", "1 when the last deep check was good", registry=registry
        )

    def app(self) -> ASGIApp:
        """The application with its log and metrics around it."""
        routes = [
            Route("/v1/{tenant}/events", self.append, methods=["POST"]),
            Route("/v1/{tenant}/events/{seq}", self.event),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self._store.open()
            yield
            await self._store.close()

        inner = Starlette(
            routes=routes,
            lifespan=lifespan,
            exception_handlers={HTTPException: _refused, Unavailable: _unavailable},
        )
        return Observed(inner, self)

    async def append(self, request: Request) -> Response:
        """201 for a new event, 200 for the same again, 409 for its key with another body."""
        tenant = _tenant(request)
        key, body = _event(await _content(request))
        done = await self._store.append(tenant, key, body)
        self._appends.labels(done.outcome).inc()
        if done.outcome == "conflict":
            raise HTTPException(409, f"key {key!r} holds another body, as event {done.seq}")
        answer = {"seq": done.seq, "digest": done.digest}
        return JSONResponse(answer, 201 if done.outcome == "appended" else 200)

    async def event(self, request: Request) -> Response:
        """One event of the tenant."""
        text = request.path_params["seq"]
        if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= _SEQ_MAX:
            raise HTTPException(422, f"seq: expected a positive number, got {text!r}")
        found = await self._store.event(_tenant(request), int(text))
        if found is None:
            raise HTTPException(404, f"the tenant has no event {text}")
        names = ("seq", "tenant", "key", "body", "digest", "created_at")
        return JSONResponse({name: getattr(found, name) for name in names})

    async def healthz(self, _: Request) -> Response:
        """The process answers; what it depends on is not its health."""
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """A real query, answered in time."""
        try:
            newest = await self._store.ready()
        except Unavailable as err:
            self._turn(False, str(err))
            return JSONResponse({"status": "not ready", "why": str(err)}, 503)
        self._turn(True, f"newest event {newest}")
        return JSONResponse({"status": "ready", "newest": newest})

    async def metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def _turn(self, ready: bool, detail: str) -> None:
        self._ready.set(ready)
        if ready != self._was_ready:
            self._was_ready = ready
            level = logging.INFO if ready else logging.WARNING
            logger.log(level, "ready" if ready else "not ready", extra={"detail": detail})


class Observed:
    """Gives each request an id, a log line and a place in the metrics."""

    def __init__(self, inner: ASGIApp, ledger: Ledger) -> None:
        self._inner, self._ledger = inner, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
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
            took = time.perf_counter() - started
            route = _route(scope)
            self._ledger.requests.labels(route, str(status)).inc()
            self._ledger.seconds.labels(route).observe(took)
            if route not in ("healthz", "readyz"):  # asked fifty times a second during a drill
                extra = {
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "took_ms": round(took * 1000, 2),
                }
                logger.info("request", extra=extra)


def _route(scope: Scope) -> str:
    """Few names, so that a stranger's paths do not grow the metrics."""
    path = scope["path"]
    if path in ("/healthz", "/readyz", "/metrics"):
        return str(path[1:])
    return "events" if path.startswith("/v1/") else "other"


def _tenant(request: Request) -> str:
    tenant = str(request.path_params["tenant"])
    if not _TENANT.fullmatch(tenant):
        raise HTTPException(422, "tenant: expected up to 63 of a-z, 0-9 and -")
    return tenant


async def _content(request: Request) -> Any:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _REQUEST_BYTES_MAX:
            raise HTTPException(413, f"expected at most {_REQUEST_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise HTTPException(400, "expected a JSON object") from err


def _event(content: Any) -> tuple[str, str]:
    """Key and body, or a refusal that says what is wrong."""
    if not isinstance(content, dict) or set(content) != {"key", "body"}:
        raise HTTPException(422, "expected an object with exactly 'key' and 'body'")
    for name, value in content.items():
        if not isinstance(value, str):
            raise HTTPException(422, f"{name}: expected a text")
        # Postgres stores neither; both are legal in JSON.
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise HTTPException(422, f"{name}: a NUL or half a surrogate pair cannot be stored")
    key, body = content["key"], content["body"]
    if not 0 < len(key) <= _KEY_CHARS_MAX:
        raise HTTPException(422, f"key: expected 1 to {_KEY_CHARS_MAX} characters")
    if len(body.encode()) > _BODY_BYTES_MAX:
        raise HTTPException(422, f"body: expected at most {_BODY_BYTES_MAX} bytes")
    return key, body


async def _refused(_: Request, err: Exception) -> Response:
    if not isinstance(err, HTTPException):
        raise err
    return JSONResponse({"error": err.detail}, err.status_code, headers=err.headers)


async def _unavailable(_: Request, err: Exception) -> Response:
    return JSONResponse({"error": str(err)}, 503, headers={"retry-after": "1"})
