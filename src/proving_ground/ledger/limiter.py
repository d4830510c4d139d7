"""The rate limit: tiers, one bucket a tenant, and what happens while the shared store is away."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proving_ground.ledger import defects
from proving_ground.ledger.bucket import LocalBucket, Rate, SharedBucket, StoreLost, whole_seconds

STORE_AGAIN_AFTER_S = 0.5  # while it is away, one request in this time asks whether it is back

logger = logging.getLogger("ledger")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may pass, and what its answer's headers say."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_s: int  # 0 when allowed
    reset_s: int
    source: str  # shared | local | closed

    def headers(self) -> dict[str, str]:
        """``X-RateLimit-*`` on every answer, ``Retry-After`` on a refusal."""
        found = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset_s),
            "x-ratelimit-source": self.source,
        }
        if not self.allowed:
            wrong = defects.on("wrong-retry-after")
            found["retry-after"] = "0" if wrong else str(self.retry_after_s)
        return found


class Limiter:
    """Shared buckets while their store answers; the declared fallback while it does not.

    Args:
        tiers: limit of each tier, per ``window_s``.
        fallback: ``local``, a bucket of the same size in each instance (N instances then let N
            times the limit pass), or ``closed``, which refuses.
    """

    def __init__(
        self,
        tiers: Mapping[str, int],
        window_s: float,
        *,
        shared: SharedBucket | None = None,
        fallback: str = "local",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = {tier: Rate(limit, window_s) for tier, limit in tiers.items()}
        self._smallest = min(self._rates, key=lambda tier: self._rates[tier].limit)
        self._shared, self._fallback, self._clock = shared, fallback, clock
        self._local = LocalBucket(clock)
        self._away_until_s = 0.0
        self.is_store_lost = False

    async def take(self, tenant: str, tier: str) -> Decision:
        """One token of the tenant's bucket of that tier; an unknown tier counts as the smallest."""
        tier = tier if tier in self._rates else self._smallest
        rate = self._rate(tier)
        # With one bucket for all its tiers, a tenant's small tier would cut down its large one.
        key = "everybody" if defects.on("one-bucket-for-all") else f"{tenant}:{tier}"
        if self._shared:
            if defects.on("limit-per-instance"):
                key = f"{os.getpid()}:{key}"
            if not self.is_store_lost or self._clock() >= self._away_until_s:
                try:
                    taken = await self._shared.take(key, rate)
                except StoreLost as err:
                    self._lost(str(err))
                else:
                    self._back()
                    return _decision(taken.allowed, taken.tokens, rate, "shared")
            if defects.on("limiter-fails-open"):
                return _decision(True, float(rate.limit), rate, "local")
            if self._fallback == "closed":
                return _decision(False, 0.0, rate, "closed")
        taken = await self._local.take(key, rate)
        return _decision(taken.allowed, taken.tokens, rate, "local")

    async def close(self) -> None:
        if self._shared:
            await self._shared.close()

    def _rate(self, tier: str) -> Rate:
        rate = self._rates[tier]
        if tier != self._smallest and defects.on("ignore-tiers"):
            return sorted(self._rates.values(), key=lambda each: each.limit)[1]
        if tier != self._smallest and defects.on("refill-too-fast"):
            return Rate(rate.limit, rate.window_s / 4)
        return rate

    def _lost(self, why: str) -> None:
        self._away_until_s = self._clock() + STORE_AGAIN_AFTER_S
        if not self.is_store_lost:
            self.is_store_lost = True
            if defects.on("store-loss-unlogged"):
                return
            extra = {"event": "limiter-store-lost", "detail": f"{self._fallback}: {why}"}
            logger.warning("limiter store lost", extra=extra)

    def _back(self) -> None:
        if self.is_store_lost:
            self.is_store_lost = False
            logger.info("limiter store back", extra={"event": "limiter-store-back"})


def _decision(allowed: bool, tokens: float, rate: Rate, source: str) -> Decision:
    wait_s = 0 if allowed else whole_seconds((1.0 - tokens) / rate.per_s)
    reset_s = whole_seconds((rate.limit - tokens) / rate.per_s)
    return Decision(allowed, rate.limit, int(tokens), wait_s, reset_s, source)
