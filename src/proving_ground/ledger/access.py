"""What stands in front of the routes, put together as the settings say."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import Gauge
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fireproof.clock import utc_label
from proving_ground.ledger.access_rules import parse_tiers
from proving_ground.ledger.audit import AuditLog, Happening, MemoryAudit
from proving_ground.ledger.audit_table import AuditTable
from proving_ground.ledger.dsn import DsnFile
from proving_ground.ledger.gate import Gate
from proving_ground.ledger.guarded import Driver, allowed
from proving_ground.ledger.memory import MemoryStore
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import caller_of, page_of, tenant_of
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.shared_secret import SharedSecrets
from proving_ground.ledger.store import Store

_LOOK_EVERY_S = 0.2  # at files that change while the service runs
_KEYS_WITHIN_S = 1.0

logger = logging.getLogger("ledger")


def make_store(settings: Settings, meters: Meters) -> tuple[Driver, DsnFile | None]:
    """The driver that the settings name, and the file its DSN comes from."""
    if settings.storage == "memory":
        return MemoryStore(), None
    if settings.dsn_file:
        dsn = DsnFile(Path(settings.dsn_file))
        return Store(settings, meters, dsn), dsn
    return Store(settings, meters), None


class Access:
    """Authentication, limits, signatures, audit; and the listeners' certificates."""

    def __init__(
        self, settings: Settings, meters: Meters, store: Driver, dsn: DsnFile | None
    ) -> None:
        self._settings, self._meters = settings, meters
        self._store, self._dsn = store, dsn
        self._watch: asyncio.Task[None] | None = None
        self.audit: AuditLog = (
            AuditTable(store) if isinstance(store, Store) else MemoryAudit(utc_label)
        )
        self._http: Any = None
        self.verifier = self._make_verifier() if settings.auth != "off" else None
        self.limiter = self._make_limiter() if settings.rate_tiers else None
        self.served: list[Any] = []  # tls.Served of each listener
        if settings.tls_cert:
            self._make_served()

    def around(self, inner: ASGIApp) -> ASGIApp:
        """The application behind its gate."""
        settings = self._settings
        secrets = None
        if settings.event_signatures != "off":
            secrets = SharedSecrets(Path(settings.event_secret_file))
        return Gate(
            inner,
            self._meters,
            self.audit,
            verifier=self.verifier,
            limiter=self.limiter,
            secrets=secrets,
            must_be_signed=settings.event_signatures == "required",
        )

    def routes(self) -> list[Route]:
        return [
            Route("/v1/{tenant}/audit", self.entries),
            Route("/admin/status", self.status),
        ]

    async def open(self) -> None:
        """Begin to look at the files that may change."""
        self._watch = asyncio.create_task(self._look())

    async def close(self) -> None:
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._http:
            await self._http.aclose()
        if self.limiter:
            await self.limiter.close()

    async def entries(self, request: Request) -> Response:
        """Audit entries of the tenant, oldest first."""
        after, limit = page_of(request)
        tenant = allowed(caller_of(request), "audit", tenant_of(request))
        found = await self.audit.entries(tenant, after, limit)
        return JSONResponse({"entries": [_shown(entry) for entry in found]})

    async def status(self, request: Request) -> Response:
        """What a rotation needs to know: names and dates, never a secret."""
        caller = caller_of(request)
        if not caller.may("admin"):
            raise HTTPException(403, "only an admin may ask this")
        looked = Happening(
            "admin", "status", caller.tenant, caller.subject, request.state.request_id
        )
        await self.audit.record(looked)
        keys = self.verifier.keys if self.verifier else None
        return JSONResponse(
            {
                "profile": self._settings.profile,
                "auth": self._settings.auth,
                "storage": self._settings.storage,
                "keys": keys.kids if keys else [],
                "key-fetches": keys.fetches if keys else 0,
                "limiter": _mode(self._settings, self.limiter),
                "certificates-end": [f"{each.not_after:%FT%TZ}" for each in self.served],
            }
        )

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                for each in self.served:
                    each.look()
                if self._dsn and isinstance(self._store, Store):
                    await self._dsn.look(self._store.renew)
            except Exception:  # the next look may do better; without looks nothing ever renews
                logger.exception("a changed file could not be taken over")

    def _make_verifier(self) -> Any:
        import httpx

        from proving_ground.ledger.keys import Keys
        from proving_ground.ledger.tokens import Verifier

        settings = self._settings
        trust: Any = True
        if settings.jwks_ca:
            trust = ssl.create_default_context(cafile=settings.jwks_ca)
        named = {"user-agent": settings.instance}
        self._http = httpx.AsyncClient(
            verify=trust, timeout=_KEYS_WITHIN_S, trust_env=False, headers=named
        )

        async def fetch() -> Mapping[str, Any]:
            answer = await self._http.get(settings.jwks_url)
            answer.raise_for_status()
            found: Mapping[str, Any] = answer.json()
            return found

        keys = Keys(fetch, ttl_s=settings.jwks_ttl_s, cooldown_s=settings.jwks_cooldown_s)
        fetches = Gauge(
            "ledger_jwks_fetches", "reads of the key set", registry=self._meters.registry
        )
        fetches.set_function(lambda: float(keys.fetches))
        return Verifier(
            keys,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            is_strict=settings.auth == "strict",
        )

    def _make_limiter(self) -> Any:
        from proving_ground.ledger.bucket import SharedBucket
        from proving_ground.ledger.limiter import Limiter

        settings = self._settings
        shared = None
        if settings.limiter_url:
            path = settings.limiter_password_file
            password = Path(path).read_text("utf-8").strip() if path else None
            shared = SharedBucket(settings.limiter_url, password)
        return Limiter(
            parse_tiers(settings.rate_tiers),
            settings.rate_window_s,
            shared=shared,
            fallback=settings.rate_fallback,
        )

    def _make_served(self) -> None:
        from proving_ground.ledger.tls import Served

        certificate, key = Path(self._settings.tls_cert), Path(self._settings.tls_key)
        self.served.append(Served(certificate, key))
        if self._settings.mtls_port:
            self.served.append(Served(certificate, key, Path(self._settings.mtls_ca)))
        ends = Gauge(
            "ledger_certificate_not_after_seconds",
            "when the served certificate ends, in Unix time",
            registry=self._meters.registry,
        )
        ends.set_function(lambda: self.served[0].not_after.timestamp())
        left = Gauge(
            "ledger_certificate_left_seconds",
            "how long the served certificate still holds",
            registry=self._meters.registry,
        )
        left.set_function(lambda: self.served[0].not_after.timestamp() - time.time())


def _shown(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__slots__}


def _mode(settings: Settings, limiter: Any) -> str:
    if limiter is None:
        return "off"
    if not settings.limiter_url:
        return "local"
    return settings.rate_fallback if limiter.is_store_lost else "shared"
