"""Notices over HTTP: given to the first provider of a chain that takes them, and to no other."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass

import httpx
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.breaker import Breaker, BreakerMeters, BreakerOpen
from proving_ground.ledger.guarded import allowed
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.requests import caller_of, content_of, tenant_of
from proving_ground.ledger.settings import Settings

_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TEXT_CHARS_MAX = 2000
_REMEMBERED = 10_000  # about 2 MB; older ones would be delivered again, by their own provider

logger = logging.getLogger("ledger")


class ProviderFailed(Exception):
    """It did not take the notice."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One provider asked, or passed over because its breaker is open."""

    provider: str
    outcome: str


class Notices:
    """``/v1/{tenant}/notices``: tried in the order of ``LEDGER_NOTIFY_URLS``.

    The deadline that a provider is given is half of the time it is waited for. After it the
    provider does not deliver any more, so that moving on to the next cannot deliver twice.
    """

    def __init__(self, settings: Settings, meters: Meters, breakers: BreakerMeters) -> None:
        self._wait_s = settings.notify_timeout_ms / 1000
        self._client = httpx.AsyncClient(timeout=self._wait_s, trust_env=False)
        self._chain = [
            (
                url,
                Breaker(
                    name, settings.breaker_failures, settings.breaker_reset_ms / 1000, breakers
                ),
            )
            for name, url in (pair.split("=", 1) for pair in settings.notify_urls.split())
        ]
        self._attempts = Counter(
            "ledger_notice_attempts",
            "notices offered to a provider",
            ["provider", "outcome"],
            registry=meters.registry,
        )
        self._taken: OrderedDict[str, str] = OrderedDict()
        self._lock = asyncio.Lock()  # one notice at a time: a duplicate waits and finds the first

    def routes(self) -> list[Route]:
        return [Route("/v1/{tenant}/notices", self.send, methods=["POST"])]

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, request: Request) -> Response:
        """201 with the provider that took it; 200 when it was taken before; 503 when none did."""
        tenant = allowed(caller_of(request), "append", tenant_of(request))
        content = await content_of(request)
        notice, text = _notice(content)
        name = f"{tenant}.{notice}"
        async with self._lock:
            if name in self._taken:
                return JSONResponse({"provider": self._taken[name], "tried": []})
            took, tried = await self._offer(name, text)
            shown = [asdict(each) for each in tried]
            if took is None:
                answer = {"error": "no provider took the notice", "tried": shown}
                return JSONResponse(answer, 503, headers={"retry-after": "1"})
            self._taken[name] = took
            if len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
        return JSONResponse({"provider": took, "tried": shown}, 201)

    async def _offer(self, name: str, text: str) -> tuple[str | None, list[Attempt]]:
        tried: list[Attempt] = []
        took: str | None = None
        chain = self._chain[::-1] if defects.on("chain-backwards") else self._chain
        for url, breaker in chain:
            outcome = await self._ask(url, breaker, name, text)
            tried.append(Attempt(breaker.name, outcome))
            self._attempts.labels(breaker.name, outcome.partition(":")[0]).inc()
            detail = f"{name} offered to {breaker.name}: {outcome}"
            logger.info("notice", extra={"detail": detail})
            if outcome == "taken":
                took = took or breaker.name
                if not defects.on("chain-goes-on"):
                    break
            elif defects.on("chain-gives-up"):
                break
        return took, tried

    async def _ask(self, url: str, breaker: Breaker, name: str, text: str) -> str:
        try:
            return await breaker.call(lambda: self._post(url, name, text))
        except BreakerOpen:
            return "passed-over"
        except ProviderFailed as err:
            return f"failed: {err}"

    async def _post(self, url: str, name: str, text: str) -> str:
        deadline = time.time() + self._wait_s / 2
        try:
            got = await self._client.post(
                f"{url}/deliver", json={"id": name, "text": text, "deadline": deadline}
            )
        except httpx.HTTPError as err:
            raise ProviderFailed(type(err).__name__) from err
        if got.status_code >= (400 if defects.on("refusal-counts") else 500):
            raise ProviderFailed(f"answered {got.status_code}")
        # A refusal is a healthy answer, which the breaker does not count; the chain goes on.
        return "taken" if got.status_code in (200, 201) else f"refused: {got.status_code}"


def _notice(content: object) -> tuple[str, str]:
    if not isinstance(content, dict) or set(content) != {"id", "text"}:
        raise HTTPException(422, "expected an object with exactly 'id' and 'text'")
    notice, text = content["id"], content["text"]
    if not isinstance(notice, str) or not _ID.fullmatch(notice):
        raise HTTPException(422, "id: expected 1 to 100 of letters, digits and ._-")
    if not isinstance(text, str) or not 0 < len(text) <= _TEXT_CHARS_MAX:
        raise HTTPException(422, f"text: expected 1 to {_TEXT_CHARS_MAX} characters")
    return notice, text
