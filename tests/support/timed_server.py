"""A server process that answers after a fixed delay, and goes quiet once when told to.

``python timed_server.py PORT DELAY_S STALL_AT_S STALL_S [FAIL_EVERY]``; prints a line once it
listens, and on SIGTERM the stall's begin and end and when each answer was written, monotonic ns.
The stall begins STALL_AT_S after the first request; what waited is then answered a thousand a
second, in order, as a server with a limit does. FAIL_EVERY n: each nth answer is a 500. Path
``/shed`` answers 429. Connections are kept.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from typing import ClassVar

PORT, DELAY_S, STALL_AT_S, STALL_S = int(sys.argv[1]), *map(float, sys.argv[2:5])
FAIL_EVERY = int(sys.argv[5]) if len(sys.argv) > 5 else 0
DRAIN_S = 0.001


class Told:
    first_s = 0.0
    answered = 0
    free_s = 0.0  # when the answer before is written
    written_ns: ClassVar[list[int]] = []  # when each answer was handed to the kernel


def _answer(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode()


GOOD, BAD, SHED = _answer("200 OK"), _answer("500 No"), _answer("429 Slow Down")


class Answers(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            loop = asyncio.get_running_loop()
            now_s = time.monotonic()
            Told.first_s = Told.first_s or now_s
            Told.answered += 1
            text = BAD if FAIL_EVERY and Told.answered % FAIL_EVERY == 0 else GOOD
            text = SHED if b" /shed " in head else text
            at_s = now_s + DELAY_S
            begin_s = Told.first_s + STALL_AT_S
            if STALL_S and begin_s <= now_s < begin_s + STALL_S:
                at_s = begin_s + STALL_S
            if STALL_S:
                at_s = Told.free_s = max(at_s, Told.free_s + DRAIN_S)
            if at_s > now_s:
                loop.call_at(at_s, self.send, text)
            else:
                self.send(text)

    def send(self, text: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(text)
            Told.written_ns.append(time.monotonic_ns())


async def main() -> None:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", PORT))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answers, sock=bound, backlog=2048)
    over = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, over.set_result, None)
    print("ready", flush=True)
    await over
    server.close()
    begin_ns = round((Told.first_s + STALL_AT_S) * 1e9)
    print(begin_ns, begin_ns + round(STALL_S * 1e9), *Told.written_ns, flush=True)


asyncio.run(main())
