"""An engine that answers as it is told, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any


class FickleEngine:
    """``way``: a status, or silent, reset, close, garbage, list, proof; how often it was asked."""

    def __init__(self) -> None:
        self.way = "proof"
        self.proof: dict[str, Any] = {}
        self.asked = 0
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FickleEngine]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            if self.way == "silent":
                await asyncio.sleep(1)
            elif self.way == "reset":
                line = writer.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif self.way != "close":
                writer.write(self._text())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _text(self) -> bytes:
        bodies = {"garbage": "<p>", "list": "[]", "proof": json.dumps(self.proof)}
        body = bodies.get(self.way, '{"error": "as told"}').encode()
        status = self.way if self.way.isdigit() else "200"
        head = f"HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {len(body)}"
        return head.encode() + b"\r\n\r\n" + body
