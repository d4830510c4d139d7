"""The provider's HTTP face: its key set for everybody, the rest for who knows its secret."""

from __future__ import annotations

import hmac
import json
import sys
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.identity.keyring import Keyring, KeyringError
from proving_ground.identity.mint import KINDS, Mint, Wish
from proving_ground.ledger import defects

_LATE_S = 5.0  # of the defect publish-late
_FOR_S_MAX = 86400


class Identity:
    """Routes over one key ring."""

    def __init__(self, ring: Keyring, mint: Mint, secret: str) -> None:
        self._ring, self._mint, self._secret = ring, mint, secret.encode()
        self._published_at: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._asked = Counter(
            "identity_jwks_requests", "times the key set was read", registry=self._registry
        )
        self._minted = Counter("identity_tokens", "tokens made", ["kind"], registry=self._registry)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/jwks.json", self.jwks),
                Route("/keys", self.keys),
                Route("/keys/publish", self.publish, methods=["POST"]),
                Route("/keys/{kid}/sign-with", self.sign_with, methods=["POST"]),
                Route("/keys/{kid}/retire", self.retire, methods=["POST"]),
                Route("/tokens", self.tokens, methods=["POST"]),
                Route("/healthz", self.healthz),
                Route("/metrics", self.metrics),
            ],
            exception_handlers={KeyringError: _refused, HTTPException: _refused},
        )

    async def jwks(self, request: Request) -> Response:
        """The key set; who read it and when goes to the log, where it outlives the process."""
        self._asked.inc()
        reader = request.headers.get("user-agent", "")[:64]
        noted = {"event": "key-set-read", "reader": reader, "monotonic_s": time.monotonic()}
        print(json.dumps(noted), file=sys.stderr, flush=True)
        found = self._ring.jwks(with_retired=defects.on("retire-keeps-publishing"))
        if defects.on("publish-late"):
            found["keys"] = [key for key in found["keys"] if not self._is_new(key["kid"])]
        return JSONResponse(found, headers={"cache-control": "max-age=60"})

    async def keys(self, request: Request) -> Response:
        """State of every key, the retired ones too."""
        self._let_in(request)
        return JSONResponse({"keys": self._ring.states()})

    async def publish(self, request: Request) -> Response:
        """A new key: ``{"algorithm": ...}``."""
        self._let_in(request)
        algorithm = (await _content(request)).get("algorithm", "RS256")
        kid = await run_in_threadpool(self._ring.publish, str(algorithm))
        self._published_at[kid] = time.monotonic()
        return JSONResponse({"kid": kid, "keys": self._ring.states()}, 201)

    async def sign_with(self, request: Request) -> Response:
        self._let_in(request)
        self._ring.sign_with(request.path_params["kid"])
        return JSONResponse({"keys": self._ring.states()})

    async def retire(self, request: Request) -> Response:
        self._let_in(request)
        self._ring.retire(request.path_params["kid"])
        return JSONResponse({"keys": self._ring.states()})

    async def tokens(self, request: Request) -> Response:
        """Tokens of one tenant: ``kinds`` is a list of good and bad ones, or ``["every"]``."""
        self._let_in(request)
        content = await _content(request)
        kinds = content.get("kinds", ["good"])
        kinds = list(KINDS) if kinds == ["every"] else kinds
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise HTTPException(422, f"no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
        wish = _wish(content)
        kid = content.get("kid")
        key = self._ring.key(str(kid)) if kid else self._ring.signing()
        made = await run_in_threadpool(
            lambda: {kind: self._mint.token(kind, key, wish) for kind in kinds}
        )
        for kind in kinds:
            self._minted.labels(kind).inc()
        return JSONResponse({"kid": key.kid, "tokens": made})

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def _let_in(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._secret):
            raise HTTPException(401, "expected Authorization: Bearer and the provider's secret")

    def _is_new(self, kid: str) -> bool:
        return time.monotonic() - self._published_at.get(kid, -_LATE_S) < _LATE_S


def _wish(content: dict[str, Any]) -> Wish:
    roles = content.get("roles", ["writer"])
    for_s = content.get("for_s", 300)
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise HTTPException(422, "roles: expected a list of texts")
    if not isinstance(for_s, int) or not 0 < for_s <= _FOR_S_MAX:
        raise HTTPException(422, f"for_s: expected 1 to {_FOR_S_MAX}")
    return Wish(
        tenant=str(content.get("tenant", "acme")),
        roles=tuple(roles),
        subject=str(content.get("subject", "somebody")),
        tier=str(content.get("tier", "standard")),
        for_s=for_s,
    )


async def _content(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body() or b"{}")
    except ValueError as err:
        raise HTTPException(400, "expected a JSON object") from err
    if not isinstance(found, dict):
        raise HTTPException(400, "expected a JSON object")
    return found


async def _refused(_: Request, err: Exception) -> Response:
    if isinstance(err, HTTPException):
        return JSONResponse({"error": err.detail}, err.status_code)
    return JSONResponse({"error": str(err)}, 409)
