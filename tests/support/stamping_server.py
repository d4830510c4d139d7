"""A server that stamps its own stops and starts on CLOCK_MONOTONIC, and stops itself when told.

``python stamping_server.py PORT``; reads ``kill`` or ``hang`` from stdin, prints ``up NS`` when it
listens or goes on, ``down NS`` just before it stops.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready"


def stamp(word: str) -> None:
    os.write(1, f"{word} {time.monotonic_ns()}\n".encode())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def obey() -> None:
    for line in sys.stdin:
        stamp("down")
        if line.strip() == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        # To this very thread: another would stop the process while this one stamps already.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        stamp("up")


async def main(port: int) -> None:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    server = await asyncio.start_server(answer, sock=door, backlog=512)
    stamp("up")
    threading.Thread(target=obey, daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
