"""A server process that answers, and stamps the instant from which it can.

``python answering_server.py PORT``; prints ``before after``: monotonic ns around its listen().
The path chooses the behaviour: /ok /wrong /busy /reset /close /garbage /silent /slow /chunked.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready"
CANNED = {
    b"/ok": OK,
    b"/wrong": OK.replace(b"ready", b"dread"),
    b"/busy": OK.replace(b"200 OK", b"503 Busy"),
    b"/close": OK[:-2],
    b"/garbage": b"220 smtp.example ESMTP\r\n",
    b"/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nre\r\n3\r\nady\r\n0\r\n\r\n",
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1]
        if path == b"/silent":
            await asyncio.sleep(60)
        if path == b"/slow":
            await asyncio.sleep(0.12)
        if path == b"/reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            writer.write(CANNED.get(path, OK))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(port: int, handler: Callable[..., Awaitable[None]] = answer) -> None:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    before = time.monotonic_ns()
    server = await asyncio.start_server(handler, sock=bound, backlog=512)
    print(before, time.monotonic_ns(), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
