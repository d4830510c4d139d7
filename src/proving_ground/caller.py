"""``caller PORT``: a sidecar that calls the guarded ledger for clients without TLS and tokens.

Probes, canaries and load generators ask it over plain HTTP on 127.0.0.1; it forwards with the lab's
authority and a token of the path's tenant. Tokens are made every second and live for eight, and it
takes the newest and the oldest valid one in turn: a key rotation that drops either is seen. Every
fourth request opens a connection of its own: so is a handshake that fails. Nothing is tried twice.
``/caller/seen`` tells the answers of late with their times, and when tokens could not be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import ssl
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.serving import serve

_MINT_EVERY_S = 1.0
_TOKEN_FOR_S = 8  # unless CALLER_TOKEN_FOR_S says otherwise
_SEEN_MAX = 20_000  # answers, the newest: a quarter of an hour at twenty a second
_LEFT_S = 4.0  # a token this near its end is not used: a busy machine takes its time
_FRESH_EVERY = 4
_WITHIN_S = 10.0
_TENANTS_MAX = 50
_VARIABLES = ("CALLER_URL", "CALLER_CA", "CALLER_IDENTITY", "CALLER_SECRET", "CALLER_TIER")
_PASSED_ON = ("content-type", "x-request-id", "idempotency-key", "x-ledger-signature")
_NOT_PASSED_BACK = ("content-length", "transfer-encoding", "connection", "content-encoding")


class Tokens:
    """Valid tokens of each tenant, oldest first."""

    def __init__(
        self, identity: httpx.AsyncClient, secret: str, tier: str, for_s: int = _TOKEN_FOR_S
    ) -> None:
        self._identity, self._tier, self._for_s = identity, tier, for_s
        self.not_had_s: deque[float] = deque(maxlen=_SEEN_MAX)
        self._let_in = {"authorization": f"Bearer {secret}"}
        self._kept: dict[str, deque[tuple[str, float]]] = {}

    async def keep_making(self) -> None:
        """Until cancelled; while the provider is away, those there are live on."""
        while True:
            for tenant in list(self._kept):
                try:
                    await self._make(tenant)
                except (httpx.HTTPError, KeyError, ValueError):
                    self.not_had_s.append(time.monotonic())
            await asyncio.sleep(_MINT_EVERY_S)

    async def pick(self, tenant: str, turn: int) -> str | None:
        """The newest or the oldest in turn; None when there is none and none can be had."""
        if not self._valid(tenant):
            if len(self._kept) >= _TENANTS_MAX and tenant not in self._kept:
                return None
            with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
                await self._make(tenant)
        valid = self._valid(tenant)
        return valid[-1 if turn % 2 else 0] if valid else None

    async def _make(self, tenant: str) -> None:
        content = {"tenant": tenant, "roles": ["writer"], "tier": self._tier}
        asked_at_s = time.monotonic()
        answer = await self._identity.post(
            "/tokens", json=content | {"for_s": self._for_s}, headers=self._let_in
        )
        token = answer.json()["tokens"]["good"]
        self._kept.setdefault(tenant, deque()).append((token, asked_at_s + self._for_s))

    def _valid(self, tenant: str) -> list[str]:
        kept = self._kept.get(tenant, deque())
        while kept and kept[0][1] - time.monotonic() < _LEFT_S:
            kept.popleft()
        return [token for token, _ in kept]


class Caller:
    """Forwards, and counts what came back."""

    def __init__(self, environ: dict[str, str]) -> None:
        trust = ssl.create_default_context(cafile=environ["CALLER_CA"])
        once = httpx.Limits(max_keepalive_connections=0)
        url = environ["CALLER_URL"]
        common: dict[str, Any] = {"verify": trust, "timeout": _WITHIN_S, "trust_env": False}
        self._kept_open = httpx.AsyncClient(base_url=url, **common)
        self._fresh = httpx.AsyncClient(base_url=url, limits=once, **common)
        self._identity = httpx.AsyncClient(base_url=environ["CALLER_IDENTITY"], **common)
        secret = environ["CALLER_SECRET"].strip()
        for_s = int(environ.get("CALLER_TOKEN_FOR_S", _TOKEN_FOR_S))
        self._tokens = Tokens(self._identity, secret, environ["CALLER_TIER"], for_s)
        self._seen: deque[tuple[float, int, str]] = deque(maxlen=_SEEN_MAX)
        self._turns = itertools.count()
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "caller_answers", "answers of the ledger", ["status"], registry=self._registry
        )
        self._failures = Counter(
            "caller_failures", "requests without an answer", ["kind"], registry=self._registry
        )
        self._handshakes = Counter(
            "caller_fresh_connections", "requests on a new connection", registry=self._registry
        )

    def app(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            making = asyncio.create_task(self._tokens.keep_making())
            yield
            making.cancel()
            for client in (self._kept_open, self._fresh, self._identity):
                await client.aclose()

        methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/caller/healthz", self.healthz),
                Route("/caller/metrics", self.metrics),
                Route("/caller/seen", self.seen),
                Route("/{path:path}", self.forward, methods=methods),
            ],
        )

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def seen(self, _: Request) -> Response:
        """By CLOCK_MONOTONIC, which is one for all processes of a host: ``answers`` as (when,
        status, the reason of a refusal), and ``not_had``, when the provider made no token.
        """
        found = {"answers": list(self._seen), "not_had": list(self._tokens.not_had_s)}
        return JSONResponse(found)

    async def forward(self, request: Request) -> Response:
        """The ledger's answer, or 502 with what went wrong on the way."""
        turn = next(self._turns)
        parts = request.url.path.split("/")
        tenant = parts[2] if len(parts) > 3 and parts[1] == "v1" else "canary"
        token = await self._tokens.pick(tenant, turn)
        if token is None:
            return self._failed("no-token", "no valid token, and the provider makes none")
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers["authorization"] = f"Bearer {token}"
        is_fresh = turn % _FRESH_EVERY == 0
        if is_fresh:
            self._handshakes.inc()
        try:
            answer = await (self._fresh if is_fresh else self._kept_open).request(
                request.method,
                request.url.path,
                params=request.query_params,
                content=await request.body(),
                headers=headers,
            )
        except httpx.HTTPError as err:
            return self._failed(type(err).__name__, str(err))
        self._answers.labels(str(answer.status_code)).inc()
        self._seen.append((time.monotonic(), answer.status_code, _reason(answer)))
        back = {k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED_BACK}
        return Response(answer.content, answer.status_code, back)

    def _failed(self, kind: str, words: str) -> Response:
        self._failures.labels(kind).inc()
        return JSONResponse({"error": words, "kind": kind}, 502)


def _reason(answer: httpx.Response) -> str:
    if answer.status_code < 400:
        return ""
    with contextlib.suppress(ValueError, AttributeError):
        return str(answer.json().get("reason", ""))
    return ""


def main(argv: list[str]) -> int:
    """Serve until SIGTERM."""
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if len(argv) != 1 or not argv[0].isdigit() or missing:
        print(f"usage: {'=... '.join(_VARIABLES)}=... caller PORT", file=sys.stderr)
        return 2
    if not Path(os.environ["CALLER_CA"]).is_file():
        print("caller: CALLER_CA: there is no such file", file=sys.stderr)
        return 2
    serve(Caller(dict(os.environ)).app(), int(argv[0]), grace_s=2, timeout_keep_alive=75)
    return 0
