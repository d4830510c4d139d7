"""Headers that every answer carries, so that a browser does nothing clever with it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proving_ground.ledger import defects

_ALWAYS = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_OVER_TLS = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds what the route did not set itself."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or defects.on("no-security-headers"):
            await self._inner(scope, receive, send)
            return
        wanted = [*_ALWAYS, _OVER_TLS] if scope["scheme"] == "https" else _ALWAYS

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in wanted if pair[0] not in there]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._inner(scope, receive, answer)
