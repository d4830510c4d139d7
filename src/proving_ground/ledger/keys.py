"""The identity provider's public keys, held for a while and asked for again with restraint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jwt

from proving_ground.ledger import defects
from proving_ground.ledger.roles import KeysUnavailable

ALGORITHMS = ("RS256", "ES256", "EdDSA")
_AGAIN_AFTER_FAILURE_S = 0.2


class Keys:
    """A JWKS, cached.

    A kid that the cache does not hold makes it look again at once, but not twice within
    ``cooldown_s``: else strangers with made-up kids would send our traffic to the provider. The
    price is that a new key may be refused for that long after somebody's junk. A key that the
    provider has retired stays valid for at most ``ttl_s``.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, Any]]],
        *,
        ttl_s: float,
        cooldown_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._clock = fetch, clock
        self._ttl_s, self._cooldown_s = ttl_s, cooldown_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at_s: float | None = None
        self._tried_at_s: float | None = None
        self._failure = ""
        self._one_at_a_time = asyncio.Lock()
        self.fetches = 0

    @property
    def kids(self) -> list[str]:
        return sorted(self._keys)

    async def key(self, kid: str | None) -> jwt.PyJWK | None:
        """The key of that name; for None the only one there is, if it is the only one.

        Raises:
            KeysUnavailable: the cache is too old to be believed and cannot be renewed.
        """
        if not self._is_fresh():
            if not (self._failure and defects.on("provider-given-up")):
                await self._refresh(again_after_s=_AGAIN_AFTER_FAILURE_S)
            if not self._is_fresh():
                raise KeysUnavailable(self._failure)
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        if kid not in self._keys and not defects.on("keys-never-refreshed"):
            cooldown_s = 0.0 if defects.on("no-refresh-cooldown") else self._cooldown_s
            await self._refresh(again_after_s=cooldown_s)
        return self._keys.get(kid)

    def _is_fresh(self) -> bool:
        if self._read_at_s is None:
            return False
        ttl_s = self._ttl_s / 4 if defects.on("keys-kept-briefly") else self._ttl_s
        return self._clock() - self._read_at_s < ttl_s or defects.on("keys-never-expire")

    async def _refresh(self, again_after_s: float) -> None:
        """Read the keys, once for all who wait here, unless that was tried a moment ago."""
        asked_at_s = self._clock()
        async with self._one_at_a_time:
            tried = self._tried_at_s
            if tried is not None and (tried >= asked_at_s or asked_at_s - tried < again_after_s):
                return
            if defects.on("empty-keys-while-refreshing"):
                self._keys = {}
            self._tried_at_s = self._clock()
            self.fetches += 1
            try:
                self._keys = usable(await self._fetch())
                self._read_at_s = self._clock()
            except Exception as err:  # whatever the provider does, the cache answers
                if self._is_fresh() and defects.on("provider-failure-escapes"):
                    raise
                self._failure = f"{type(err).__name__}: {err}"


def usable(jwks: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Signing keys of the allowed kinds by kid; a kid that appears twice counts for nothing.

    Raises:
        ValueError: none is left.
    """
    found: dict[str, jwt.PyJWK] = {}
    twice: set[str] = set()
    for raw in jwks["keys"]:
        kid = raw.get("kid")
        if not kid or raw.get("use", "sig") != "sig" or raw.get("alg") not in ALGORITHMS:
            continue
        if kid in found:
            twice.add(kid)
        found[kid] = jwt.PyJWK.from_dict(raw)
    for kid in twice:
        del found[kid]
    if not found:
        raise ValueError("the key set holds no usable key")
    return found
