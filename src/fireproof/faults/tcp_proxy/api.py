"""The HTTP side: one request a connection, JSON in and out, for programs on this host only."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from fireproof.faults.tcp_proxy.proxies import Proxies
from fireproof.faults.tcp_proxy.toxics import Refused

_WITHIN_S = 5.0
_MAX_BODY = 64 * 1024
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


async def serve(proxies: Proxies, host: str, port: int) -> asyncio.Server:
    """Answer on that port until the server is closed."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_WITHIN_S):
                status, found = await _answer(proxies, reader)
                writer.write(_response(status, found))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that went away or says nothing sensible
        finally:
            writer.close()

    return await asyncio.start_server(client, host, port, limit=16 * 1024)


async def _answer(proxies: Proxies, reader: asyncio.StreamReader) -> tuple[int, Any]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    try:
        method, target, _ = lines[0].split(" ")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length") or 0)
        if not 0 <= length <= _MAX_BODY:
            raise Refused(413, "body too large")
        body = await reader.readexactly(length)
        # A web page must not reach this through somebody's browser, by name rebinding either.
        if "origin" in headers or headers.get("host", "").rsplit(":", 1)[0] not in _LOCAL:
            raise Refused(403, "only for programs on this host")
        raw = json.loads(body) if body else None
        return await proxies.answer(method, unquote(target.partition("?")[0]), raw)
    except Refused as err:
        return err.status, {"error": str(err), "status": err.status}
    except ValueError as err:
        return 400, {"error": f"bad request: {err}", "status": 400}


def _response(status: int, found: Any) -> bytes:
    body = b"" if found is None else json.dumps(found).encode() + b"\n"
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Connection: close"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body
