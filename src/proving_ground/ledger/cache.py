"""Events that were read before, kept in Redis. Losing it costs time and never an answer.

Keys begin with the version that wrote them: a version reads only what it wrote itself, so after a
rollback none of the other's entries is found, whatever their format. Events never change, so
entries are never wrong for another reason.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from prometheus_client import Counter, Gauge

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.versions import Version

_WITHIN_S = 0.05  # slower than the database, it is of no use
_LEFT_ALONE_S = 0.5  # after a failure nobody waits for it again so soon
_KEPT_S = 600

logger = logging.getLogger("ledger")


class Cache:
    """One tenant's event by number; every failure of Redis is a miss."""

    def __init__(self, url: str, password: str | None, version: Version, meters: Meters) -> None:
        from redis.asyncio import Redis  # 130 ms that a ledger without a cache does not pay
        from redis.exceptions import RedisError

        self._failures = (RedisError, OSError, TimeoutError)
        self._redis = Redis.from_url(
            url,
            password=password,
            socket_timeout=_WITHIN_S,
            socket_connect_timeout=_WITHIN_S,
        )
        self._format = version.cache_format
        self._prefix = "event" if defects.on("shared-cache-keys") else f"{version.name}:event"
        self._away_until = 0.0
        self._is_up: bool | None = None
        self._asked = Counter(
            "ledger_cache", "reads of the cache", ["outcome"], registry=meters.registry
        )
        self._up = Gauge("ledger_cache_up", "1 while it answers", registry=meters.registry)

    async def read(self, tenant: str, seq: int) -> Any:
        """What the ledger answered before, or None."""
        text = await self._do("get", self._key(tenant, seq))
        self._asked.labels("hit" if text else "miss" if self._is_up else "off").inc()
        if not text:
            return None
        found = json.loads(text)
        return found if self._format == 1 else dict(found)

    async def keep(self, tenant: str, seq: int, event: dict[str, Any]) -> None:
        """Remember it for a while."""
        form: Any = event if self._format == 1 else list(event.items())
        await self._do("set", self._key(tenant, seq), json.dumps(form), ex=_KEPT_S)

    async def close(self) -> None:
        await self._redis.aclose()

    def _key(self, tenant: str, seq: int) -> str:
        owner = "all" if defects.on("cache-without-tenant") else tenant
        return f"{self._prefix}:{owner}:{seq}"

    async def _do(self, act: str, *words: Any, **more: Any) -> Any:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_WITHIN_S):
                done = await getattr(self._redis, act)(*words, **more)
        except self._failures as err:
            slow = "Timeout" in type(err).__name__  # on a busy machine it may be that, and not away
            if defects.on("cache-outage-is-fatal") and not slow:
                raise
            left_alone_s = float("inf") if defects.on("cache-given-up") else _LEFT_ALONE_S
            self._away_until = time.monotonic() + left_alone_s
            self._turn(False, str(err) or type(err).__name__)
            return None
        self._turn(True, "")
        return done

    def _turn(self, up: bool, detail: str) -> None:
        self._up.set(up)
        if up != self._is_up:
            self._is_up = up
            words = "the cache answers" if up else "the cache is away; the database answers"
            logger.log(logging.INFO if up else logging.WARNING, words, extra={"detail": detail})
