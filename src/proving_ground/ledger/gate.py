"""In front of every route: who calls, what they may do, how often, and what is remembered of it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger import defects
from proving_ground.ledger.audit import AuditLog, Happening
from proving_ground.ledger.guarded import allowed
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import REQUEST_BYTES_MAX
from proving_ground.ledger.roles import (
    Caller,
    Forbidden,
    KeysUnavailable,
    TokenRefused,
    anybody,
)
from proving_ground.ledger.shared_secret import HEADER, SharedSecrets, SignatureRefused

if TYPE_CHECKING:  # loading them costs 0.2 s, which a ledger without authentication need not pay
    from proving_ground.ledger.limiter import Limiter
    from proving_ground.ledger.tokens import Verifier

OPEN = (
    "/healthz",
    "/readyz",
    "/in-service",
    "/metrics",
    "/version",
)  # on 127.0.0.1; they say nothing of tenants

logger = logging.getLogger("ledger")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for: a verb, and the tenant of its path if it names one."""

    verb: str
    tenant: str


class Refusal(Exception):
    """An answer instead of the route's."""

    def __init__(self, status: int, reason: str, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.reason, self.headers = status, reason, headers


class Gate:
    """Lets a request through with its caller in ``scope["state"]["caller"]``, or refuses it.

    Args:
        verifier: None where authentication is off.
        limiter: None where nothing is limited.
        secrets: of signed requests; None where signatures are not looked at.
    """

    def __init__(
        self,
        inner: ASGIApp,
        meters: Meters,
        audit: AuditLog,
        *,
        verifier: Verifier | None,
        limiter: Limiter | None,
        secrets: SharedSecrets | None,
        must_be_signed: bool = False,
    ) -> None:
        self._inner, self._audit = inner, audit
        self._verifier, self._limiter = verifier, limiter
        self._secrets, self._must_be_signed = secrets, must_be_signed
        self._refusals = Counter(
            "ledger_refusals", "refused requests", ["reason"], registry=meters.registry
        )
        self._unstored = Counter(
            "ledger_audit_unstored", "audit entries that were lost", registry=meters.registry
        )
        if limiter:
            lost = Gauge(
                "ledger_limiter_store_lost",
                "1 while the fallback limits",
                registry=meters.registry,
            )
            lost.set_function(lambda: float(limiter.is_store_lost))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._inner(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        wanted = wanted_of(scope["method"], scope["path"])
        state = scope.setdefault("state", {})
        state["audit"] = self._audit
        more: dict[str, str] = {}
        caller: Caller | None = None
        try:
            caller = await self._caller(headers, wanted)
            more = await self._limit(caller)
            if wanted.verb and self._verifier:
                _permit(caller, wanted)
            receive = await self._signed(scope, headers, receive)
        except Refusal as err:
            await self._refuse(err, scope, wanted, caller, send)
            return
        state["caller"] = caller

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and more:
                message["headers"] = [*message["headers"], *_encoded(more)]
            await send(message)

        await self._inner(scope, receive, answer)

    async def _caller(self, headers: dict[str, bytes], wanted: Wanted) -> Caller:
        if self._verifier is None:
            return anybody(wanted.tenant)
        kind, _, token = headers.get("authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise _unauthorised("token-missing", "expected Authorization: Bearer TOKEN")
        try:
            caller = await self._verifier.verify(token.strip())
        except TokenRefused as err:
            if defects.on("leak-token-in-log"):
                logger.warning("refused", extra={"detail": token[:4096]})
            raise _unauthorised(err.reason, "the token is not accepted") from err
        except KeysUnavailable as err:
            detail = "no key set to check the token with"
            raise Refusal(503, "keys-unavailable", detail, **{"retry-after": "1"}) from err
        asked = headers.get("x-tenant", b"").decode("latin-1")
        if asked and defects.on("tenant-from-header"):
            return replace(caller, tenant=asked)
        if not asked and defects.on("tenant-from-path"):
            return replace(caller, tenant=wanted.tenant)
        return caller

    async def _limit(self, caller: Caller) -> dict[str, str]:
        if self._limiter is None:
            return {}
        decision = await self._limiter.take(caller.tenant, caller.tier)
        if not decision.allowed:
            raise Refusal(429, "rate-limited", "too many requests", **decision.headers())
        return decision.headers()

    async def _signed(self, scope: Scope, headers: dict[str, bytes], receive: Receive) -> Receive:
        """The body again, once its signature was checked."""
        header = headers.get(HEADER, b"").decode("latin-1")
        if self._secrets is None or scope["method"] not in ("POST", "PUT"):
            return receive
        if not header:
            if self._must_be_signed:
                raise _unauthorised("signature-missing", f"expected {HEADER}")
            return receive
        messages, size, more = [], 0, True
        while more and size <= REQUEST_BYTES_MAX:  # a larger body is refused by the route
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        body = b"".join(message.get("body", b"") for message in messages)
        try:
            self._secrets.check(header, scope["method"], scope["path"], body)
        except SignatureRefused as err:
            raise _unauthorised(err.reason, "the signature is not accepted") from err
        waiting = iter(messages)

        async def again() -> Message:
            return next(waiting, None) or await receive()

        return again

    async def _refuse(
        self, err: Refusal, scope: Scope, wanted: Wanted, caller: Caller | None, send: Send
    ) -> None:
        if not defects.on("uncounted-refusals"):
            self._refusals.labels(err.reason).inc()
        tenant = caller.tenant if caller else wanted.tenant
        request_id = str(scope["state"].get("request_id", ""))
        extra: dict[str, Any] = {"event": err.reason, "request_id": request_id, "tenant": tenant}
        if err.status == 429:
            # In the log alone: a flood must not turn into as many writes to the database.
            if not defects.on("unlogged-refusals"):
                logger.warning("rate limited", extra=extra)
        elif not defects.on("silent-refusals"):
            await self._remember(err, wanted, caller, request_id, extra)
        content = json.dumps({"error": str(err), "reason": err.reason}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content))}
        start = {"type": "http.response.start", "status": err.status}
        await send({**start, "headers": _encoded(headers | err.headers)})
        await send({"type": "http.response.body", "body": content})

    async def _remember(
        self,
        err: Refusal,
        wanted: Wanted,
        caller: Caller | None,
        request_id: str,
        extra: dict[str, Any],
    ) -> None:
        """One audit entry; its digest goes to the log, so that a log cut short can be noticed."""
        happening = Happening(
            event="refused",
            reason=err.reason,
            tenant=wanted.tenant,
            subject=caller.subject if caller else "",
            request_id="" if defects.on("audit-without-id") else request_id,
            detail=f"{err.status} {wanted.verb}",
        )
        try:
            entry = await self._audit.record(happening)
        except Exception as failure:  # the refusal stands whether or not it can be written down
            self._unstored.inc()
            logger.error("audit entry not stored", extra={**extra, "detail": str(failure)})
            return
        logger.warning("refused", extra={**extra, "detail": f"audit {entry.seq} {entry.digest}"})


def _permit(caller: Caller, wanted: Wanted) -> None:
    try:
        allowed(caller, wanted.verb, wanted.tenant or caller.tenant)
    except Forbidden as err:
        if defects.on("forbidden-as-unauthorised"):
            raise _unauthorised(err.reason, str(err)) from err
        raise Refusal(403, err.reason, str(err)) from err


def wanted_of(method: str, path: str) -> Wanted:
    """The verb and the tenant that a path stands for; the verb is empty for paths unknown here."""
    parts = path.split("/")[1:]
    if parts[0] == "admin":
        return Wanted("admin", "")
    if parts[0] != "v1" or len(parts) < 3:
        return Wanted("", "")
    if parts[2] == "audit":
        return Wanted("audit", parts[1])
    return Wanted("read" if method in ("GET", "HEAD") else "append", parts[1])


def _unauthorised(reason: str, detail: str) -> Refusal:
    challenge = f'Bearer error="invalid_token", error_description="{reason}"'
    return Refusal(401, reason, detail, **{"www-authenticate": challenge})


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
