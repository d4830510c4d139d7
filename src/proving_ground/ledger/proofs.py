"""Proofs over HTTP: asked of the engine, checked here, before a client sees them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.breaker import Breaker, BreakerMeters, BreakerOpen
from proving_ground.ledger.guarded import Guarded
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import caller_of, seq_of, tenant_of
from proving_ground.ledger.retry import RetryPolicy, retried
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Event
from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.note import load_public_key, verify_note
from proving_ground.merkle.proof import verify_inclusion
from proving_ground.merkle.refusal import Refused

logger = logging.getLogger("ledger")


class EngineFailed(Exception):
    """No answer in time, an error of the engine's own, or an answer that proves nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: 200, or a 4xx, which is as healthy an answer."""

    status: int
    content: dict[str, Any]
    retry_after: str | None


class MerkleEngine:
    """The engine behind its breaker, with retries."""

    def __init__(self, settings: Settings, meters: Meters, breakers: BreakerMeters) -> None:
        self._breaker = Breaker(
            "merkle-engine", settings.breaker_failures, settings.breaker_reset_ms / 1000, breakers
        )
        self._policy = RetryPolicy(settings.retry_attempts)
        if defects.on("retry-storm"):
            self._policy = RetryPolicy(attempts=40, first_s=0.0)
        self._key = load_public_key(Path(settings.engine_key_file))
        self._origin = settings.engine_origin
        self._client = httpx.AsyncClient(
            base_url=settings.engine_url, timeout=settings.engine_timeout_ms / 1000, trust_env=False
        )
        self._retries = Counter(
            "ledger_retries", "second and later attempts", registry=meters.registry
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def proof(self, event: Event) -> Answer:
        """A proof that holds for this event, or the engine's reason to have none yet.

        Raises:
            EngineFailed: after the last attempt.
            BreakerOpen: at once.
        """
        return await retried(
            lambda: self._breaker.call(lambda: self._once(event)),
            self._policy,
            EngineFailed,
            self._told,
        )

    async def ping(self) -> None:
        """Nothing but that the engine answers."""
        try:
            await self._client.get("/healthz")
        except httpx.HTTPError as err:
            raise HTTPException(503, "the engine does not answer") from err

    def _told(self, failures: int, pause_s: float, err: Exception) -> None:
        self._retries.inc()
        detail = f"merkle-engine: attempt {failures} failed: {err}; next in {pause_s * 1000:.0f} ms"
        logger.warning("retry", extra={"detail": detail})

    async def _once(self, event: Event) -> Answer:
        try:
            got = await self._client.get(f"/proofs/{event.seq}")
            content = got.json()
            if not isinstance(content, dict):
                raise EngineFailed("expected an object")
        except (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError) as err:
            raise EngineFailed(str(err) or type(err).__name__) from err
        if got.status_code >= 500:
            raise EngineFailed(f"answered {got.status_code}")
        if got.status_code != 200:
            if defects.on("breaker-counts-4xx"):
                raise EngineFailed(f"answered {got.status_code}")
            return Answer(got.status_code, content, got.headers.get("retry-after"))
        if not defects.on("proofs-unchecked"):
            self._check(event, content)
        return Answer(200, content, None)

    def _check(self, event: Event, said: dict[str, Any]) -> None:
        try:
            point = verify_note(said["checkpoint"], self._key, self._origin)
            path = [bytes.fromhex(node) for node in said["proof"]]
            leaf = leaf_hash(event.seq, event.tenant, event.key, event.body)
            verify_inclusion(leaf, event.seq - 1, point.size, path, point.root)
            stated = (said["leaf_hash"], said["index"], said["size"])
            if stated != (leaf.hex(), event.seq - 1, point.size):
                raise Refused("proof", "it states another leaf, index or size")
        except Refused as err:
            raise EngineFailed(f"its proof of event {event.seq} is refused: {err}") from err
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise EngineFailed(f"no proof in its answer: {err!r}") from err


class Proofs:
    """``/v1/{tenant}/proofs/{seq}``."""

    def __init__(self, store: Guarded, engine: MerkleEngine) -> None:
        self._store, self._engine = store, engine

    def routes(self) -> list[Route]:
        return [Route("/v1/{tenant}/proofs/{seq}", self.read)]

    async def read(self, request: Request) -> Response:
        """That an event of the tenant is in the log; 404 while no checkpoint covers it."""
        seq = seq_of(request)
        event = await self._store.event(caller_of(request), tenant_of(request), seq)
        if event is None:
            raise HTTPException(404, f"the tenant has no event {seq}")
        try:
            answer = await self._engine.proof(event)
        except BreakerOpen as err:
            raise HTTPException(503, str(err), {"retry-after": str(err.retry_after_s)}) from err
        except EngineFailed as err:
            raise HTTPException(
                503, f"merkle-engine gave no proof: {err}", {"retry-after": "1"}
            ) from err
        if answer.status != 200:
            headers = {"retry-after": answer.retry_after} if answer.retry_after else None
            detail = str(answer.content.get("error", "the engine refused"))
            raise HTTPException(answer.status, detail, headers)
        return JSONResponse(answer.content)
