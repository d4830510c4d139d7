"""The proxies of one process, their toxics, and the clock that takes toxics away."""

from __future__ import annotations

import asyncio
from typing import Any

from fireproof.faults.tcp_proxy.link import End, Link
from fireproof.faults.tcp_proxy.toxics import Refused, Toxic, parse_toxic


def parse_address(text: Any, what: str) -> tuple[str, int]:
    """Host and port of ``host:port``."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise Refused(400, f"{what}: expected host:port, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


class Proxy:
    """One listening port and where it leads."""

    def __init__(self, name: str, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        self.name, self.listen, self.upstream = name, listen, upstream
        self.toxics: dict[str, Toxic] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None

    @property
    def enabled(self) -> bool:
        return self._server is not None

    async def enable(self) -> None:
        """Listen; Refused when the port is taken."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accept, *self.listen, backlog=1024)
        except OSError as err:
            raise Refused(500, f"cannot listen on {_shown(self.listen)}: {err.strerror}") from err
        self.listen = (self.listen[0], self._server.sockets[0].getsockname()[1])

    def disable(self) -> None:
        """Listen no more, and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.reset()

    def _accept(self) -> End:
        link = Link(*self.upstream, self.toxics.values(), self._links.discard)
        self._links.add(link)
        return link.client

    def put(self, toxic: Toxic) -> None:
        """Add or replace; its expiry starts now."""
        self._forget(toxic.name)
        self.toxics[toxic.name] = toxic
        loop = asyncio.get_running_loop()
        self._expiries[toxic.name] = loop.call_later(
            toxic.expires_ms / 1e3, self.remove, toxic.name
        )
        self._changed()

    def remove(self, name: str) -> None:
        """Away with it, if it is there."""
        self._forget(name)
        if self.toxics.pop(name, None) is not None:
            self._changed()

    def clear(self) -> None:
        for name in list(self.toxics):
            self.remove(name)

    def _forget(self, name: str) -> None:
        timer = self._expiries.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _changed(self) -> None:
        for link in list(self._links):
            link.change(list(self.toxics.values()))

    def toxic(self, name: str) -> Toxic:
        try:
            return self.toxics[name]
        except KeyError:
            raise Refused(404, "toxic not found") from None

    def toxic_json(self, name: str) -> dict[str, Any]:
        """The toxic, and how long it still has."""
        left_s = self._expiries[name].when() - asyncio.get_running_loop().time()
        return self.toxic(name).to_json() | {"expires_in_ms": max(0, round(left_s * 1e3))}

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": _shown(self.listen),
            "upstream": _shown(self.upstream),
            "enabled": self.enabled,
            "toxics": [self.toxic_json(name) for name in self.toxics],
        }


class Proxies:
    """All of them, by name."""

    def __init__(self) -> None:
        self._proxies: dict[str, Proxy] = {}

    async def create(self, raw: Any) -> Proxy:
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or not raw["name"]:
            raise Refused(400, "name: expected a text")
        if raw["name"] in self._proxies:
            raise Refused(409, "proxy already exists")
        listen = parse_address(raw.get("listen"), "listen")
        proxy = Proxy(raw["name"], listen, parse_address(raw.get("upstream"), "upstream"))
        if raw.get("enabled", True) is True:
            await proxy.enable()
        self._proxies[proxy.name] = proxy
        return proxy

    async def answer(self, method: str, path: str, raw: Any) -> tuple[int, Any]:
        """Status and JSON of one request.

        Raises:
            Refused: for what there is not.
        """
        match method, path.strip("/").split("/"):
            case "GET", ["version"]:
                return 200, {"version": "fireproof"}
            case "GET", ["proxies"]:
                return 200, {name: proxy.to_json() for name, proxy in self._proxies.items()}
            case "POST", ["proxies"]:
                return 201, (await self.create(raw)).to_json()
            case "POST", ["reset"]:
                for proxy in self._proxies.values():
                    proxy.clear()
                    await proxy.enable()
                return 204, None
            case _, ["proxies", name, *rest]:
                return await self._proxy(method, self._named(name), rest, raw)
        raise Refused(404, "there is nothing here")

    def _named(self, name: str) -> Proxy:
        try:
            return self._proxies[name]
        except KeyError:
            raise Refused(404, "proxy not found") from None

    async def _proxy(self, method: str, proxy: Proxy, rest: list[str], raw: Any) -> tuple[int, Any]:
        match method, rest:
            case "GET", []:
                return 200, proxy.to_json()
            case (("POST" | "PATCH"), []):
                if not isinstance(raw, dict) or not isinstance(raw.get("enabled"), bool):
                    raise Refused(400, "enabled: expected true or false")
                if raw["enabled"]:
                    await proxy.enable()
                else:
                    proxy.disable()
                return 200, proxy.to_json()
            case "DELETE", []:
                proxy.clear()
                proxy.disable()
                del self._proxies[proxy.name]
                return 204, None
            case "GET", ["toxics"]:
                return 200, [proxy.toxic_json(name) for name in proxy.toxics]
            case "POST", ["toxics"]:
                toxic = parse_toxic(raw)
                if toxic.name in proxy.toxics:
                    raise Refused(409, "toxic already exists")
                proxy.put(toxic)
                return 200, proxy.toxic_json(toxic.name)
            case "GET", ["toxics", name]:
                proxy.toxic(name)
                return 200, proxy.toxic_json(name)
            case (("POST" | "PATCH"), ["toxics", name]):
                proxy.put(parse_toxic(raw, proxy.toxic(name)))
                return 200, proxy.toxic_json(name)
            case "DELETE", ["toxics", name]:
                proxy.toxic(name)
                proxy.remove(name)
                return 204, None
        raise Refused(405 if len(rest) < 3 else 404, "there is nothing here")

    def stop(self) -> None:
        for proxy in self._proxies.values():
            proxy.disable()


def _shown(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
