"""Token buckets: one in this process, one in a store that several instances share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_BUCKETS_MAX = 10_000  # beyond this the full ones are forgotten: a full bucket remembers nothing
_STORE_WITHIN_S = 0.25
_CONNECTIONS_MAX = 8

# The store's own clock: two instances whose clocks differ still share one bucket.
_TAKE = """
redis.replicate_commands()
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local capacity, per_s = tonumber(ARGV[1]), tonumber(ARGV[2])
local old = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local since = math.max(0, now - (tonumber(old[2]) or now))
local tokens = math.min(capacity, (tonumber(old[1]) or capacity) + since * per_s)
local taken = 0
if tokens >= 1 then
  tokens = tokens - 1
  taken = 1
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at',
           string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_s * 1000) + 1000)
return {taken, string.format('%.9f', tokens)}
"""


class StoreLost(Exception):
    """The shared store gave no answer in time."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket of ``limit`` tokens that fills within ``window_s``."""

    limit: int
    window_s: float

    @property
    def per_s(self) -> float:
        return self.limit / self.window_s


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the wish for one token."""

    allowed: bool
    tokens: float  # left in the bucket


class LocalBucket:
    """Tokens in this process; other instances know nothing of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, tuple[float, float, Rate]] = {}  # tokens, at_s, rate

    async def take(self, key: str, rate: Rate) -> Taken:
        now = self._clock()
        tokens, at_s, _ = self._tokens.get(key, (float(rate.limit), now, rate))
        tokens = min(float(rate.limit), tokens + (now - at_s) * rate.per_s)
        allowed = tokens >= 1.0
        if allowed:
            tokens -= 1.0
        if key not in self._tokens and len(self._tokens) >= _BUCKETS_MAX:
            self._forget_full(now)
        self._tokens[key] = (tokens, now, rate)
        return Taken(allowed, tokens)

    def _forget_full(self, now: float) -> None:
        self._tokens = {
            key: (tokens, at_s, rate)
            for key, (tokens, at_s, rate) in self._tokens.items()
            if tokens + (now - at_s) * rate.per_s < rate.limit
        }


class SharedBucket:
    """Tokens in Redis; taking one is a single atomic script there."""

    def __init__(self, url: str, password: str | None = None) -> None:
        # The library's defaults hold up every request of an outage for three retries, and fail the
        # hundred-and-first at once instead of letting it wait for a connection.
        pool = BlockingConnectionPool.from_url(
            url,
            password=password,
            max_connections=_CONNECTIONS_MAX,
            timeout=2 * _STORE_WITHIN_S,
            socket_timeout=_STORE_WITHIN_S,
            socket_connect_timeout=_STORE_WITHIN_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._take = self._redis.register_script(_TAKE)

    async def take(self, key: str, rate: Rate) -> Taken:
        """The token, from the store.

        Raises:
            StoreLost: no answer, in time or at all.
        """
        try:
            answer = await self._take(keys=[f"bucket:{key}"], args=[rate.limit, rate.per_s])
        except (RedisError, OSError, TimeoutError) as err:
            raise StoreLost(str(err) or type(err).__name__) from err
        return Taken(bool(answer[0]), float(answer[1]))

    async def close(self) -> None:
        await self._redis.aclose()


def whole_seconds(seconds: float) -> int:
    """For a header: rounded up, so that waiting this long is long enough."""
    return max(1, math.ceil(seconds))
