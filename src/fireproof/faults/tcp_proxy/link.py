"""One proxied connection: two flows of bytes, straight through as long as nothing is wrong."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

from fireproof.faults.tcp_proxy.toxics import DOWNSTREAM, UPSTREAM, Toxic

HELD_BYTES: Final = 1 << 20  # held back per direction; beyond it the sender has to wait
_SLICE_S: Final = 0.01  # a throttled flow sends this often


class Flow:
    """Bytes from one side to the other.

    An item of the queue is (arrival, bytes); None for bytes is the end of the stream.
    """

    def __init__(self, link: Link, stream: str) -> None:
        self._link = link
        self.stream = stream
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.toxics: list[Toxic] = []
        self.lost = False  # bytes were swallowed: this connection can never be whole again
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._held = 0
        self._full = False
        self._sink_full = False
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def feed(self, data: bytes | None) -> None:
        """Take what came; without toxics it is gone again before this returns."""
        if self.sink is not None and not self.toxics and not self._queue:
            self._pass(data)
            return
        self._queue.append((self._link.loop.time(), data))
        self._held += len(data or b"")
        self._brake()
        if self._pump is None and self.sink is not None:
            self._pump = self._link.loop.create_task(self._run())

    def connected(self) -> None:
        """The sink is there."""
        if self._queue and self._pump is None:
            self._pump = self._link.loop.create_task(self._run())

    def change(self, toxics: list[Toxic]) -> None:
        """Other toxics from now on; what is held back is looked at again."""
        self.toxics = toxics
        self._changed.set()

    def sink_full(self, full: bool) -> None:
        self._sink_full = full
        self._brake()

    def stop(self) -> None:
        if self._pump is not None:
            self._pump.cancel()

    def _brake(self) -> None:
        """Stop reading while too much waits, start again when it is gone."""
        full = self._sink_full or self._held >= HELD_BYTES
        if full != self._full and self.source is not None and not self.source.is_closing():
            self._full = full
            (self.source.pause_reading if full else self.source.resume_reading)()

    def _pass(self, data: bytes | None) -> None:
        sink = self.sink
        if sink is None or sink.is_closing():
            return
        if data is not None:
            sink.write(data)
        elif sink.can_write_eof():
            sink.write_eof()
            self._link.ended(self)

    def _of(self, kind: str) -> Iterable[Toxic]:
        return (toxic for toxic in self.toxics if toxic.type == kind)

    async def _run(self) -> None:
        """Let out what is held, in order, as the toxics of the moment allow."""
        delays: dict[float, float] = {}
        while self._queue:
            arrived, data = self._queue[0]
            self._changed.clear()
            if any(self._of("stall")):
                await self._changed.wait()
                continue
            if any(self._of("timeout")):
                self.lost = True
                self._drop()
                continue
            delay = 0.0
            for toxic in self._of("latency"):
                jitter = toxic.attributes["jitter"]
                delay += toxic.attributes["latency"] / 1e3
                delay += delays.setdefault(arrived, random.uniform(-jitter, jitter)) / 1e3  # noqa: S311
            wait_s = arrived + delay - self._link.loop.time()
            if wait_s > 0:
                await self._wait(wait_s)
                continue
            delays.pop(arrived, None)
            rate = min((t.attributes["rate"] * 1000 for t in self._of("bandwidth")), default=0)
            if rate and data:
                part = data[: max(1, int(rate * _SLICE_S))]
                self._queue[0] = (arrived, data[len(part) :])
                self._held -= len(part)
                self._pass(part)
                if len(part) == len(data):
                    self._queue.popleft()
                self._brake()
                await asyncio.sleep(len(part) / rate)
                continue
            self._drop()
            self._pass(data)
        self._pump = None

    def _drop(self) -> None:
        _, data = self._queue.popleft()
        self._held -= len(data or b"")
        self._brake()

    async def _wait(self, wait_s: float) -> None:
        """Until the time has come or the toxics have changed."""
        handle = self._link.loop.call_later(wait_s, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            handle.cancel()


class End(asyncio.Protocol):
    """One socket of a link: ``inward`` takes its bytes, ``outward`` writes to it."""

    def __init__(self, link: Link, inward: Flow, outward: Flow) -> None:
        self._link, self._inward, self._outward = link, inward, outward

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._inward.source = self._outward.sink = transport
        self._link.opened(self, transport)
        self._outward.connected()

    def data_received(self, data: bytes) -> None:
        self._inward.feed(data)

    def eof_received(self) -> bool:
        self._inward.feed(None)
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        self._outward.sink_full(True)

    def resume_writing(self) -> None:
        self._outward.sink_full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost(exc)


class Link:
    """A client's connection and the one to the upstream that belongs to it."""

    def __init__(
        self, host: str, port: int, toxics: Collection[Toxic], closed: Callable[[Link], None]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._host, self._port, self._closed = host, port, closed
        self.up, self.down = Flow(self, UPSTREAM), Flow(self, DOWNSTREAM)
        self._transports: list[asyncio.Transport] = []
        self._befallen: dict[str, bool] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ended: set[str] = set()
        self._over = False
        self._connecting: asyncio.Task[None] | None = None
        self.client = End(self, self.up, self.down)
        self.change(toxics)

    def opened(self, end: End, transport: asyncio.Transport) -> None:
        if self._over:
            transport.abort()
            return
        self._transports.append(transport)
        if end is self.client:
            self._connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self.loop.create_connection(
                lambda: End(self, self.down, self.up), self._host, self._port
            )
        except OSError:
            self.reset()  # nearest to the refusal that the client would have seen

    def change(self, toxics: Collection[Toxic]) -> None:
        """These toxics from now on."""
        mine: dict[str, Toxic] = {}
        for toxic in toxics:
            befallen = self._befallen.setdefault(toxic.name, random.random() < toxic.toxicity)  # noqa: S311
            if befallen:
                mine[toxic.name] = toxic
        for name in set(self._befallen) - {toxic.name for toxic in toxics}:
            del self._befallen[name]
        for name in set(self._timers) - set(mine):
            self._timers.pop(name).cancel()
        for flow in (self.up, self.down):
            flow.change([toxic for toxic in mine.values() if toxic.stream == flow.stream])
        for name, toxic in mine.items():
            if name not in self._timers:
                self._arm(name, toxic)
        if any(f.lost and not any(t.type == "timeout" for t in f.toxics) for f in self.flows()):
            self.reset()  # bytes are missing from the middle: it must not go on as if whole

    def flows(self) -> tuple[Flow, Flow]:
        return self.up, self.down

    def _arm(self, name: str, toxic: Toxic) -> None:
        after_s = toxic.attributes.get("timeout", 0) / 1e3
        if toxic.type == "reset_peer":
            self._timers[name] = self.loop.call_later(after_s, self.reset)
        elif toxic.type == "timeout" and after_s:
            self._timers[name] = self.loop.call_later(after_s, self.close)

    def ended(self, flow: Flow) -> None:
        """A direction has come to its end; with both it is over."""
        self._ended.add(flow.stream)
        if len(self._ended) == 2:
            self.close()

    def lost(self, exc: Exception | None) -> None:
        """A socket is gone, and not by the orderly end that flows through like any byte."""
        if exc is not None:
            self.reset()
        else:
            self.close()

    def close(self) -> None:
        """End both sides after what was written."""
        self._end(lambda transport: transport.close())

    def reset(self) -> None:
        """End both sides with RST."""
        self._end(_abort)

    def _end(self, how: Callable[[asyncio.Transport], None]) -> None:
        if self._over:
            return
        self._over = True
        for timer in self._timers.values():
            timer.cancel()
        for flow in self.flows():
            flow.stop()
        if self._connecting not in (None, asyncio.current_task(self.loop)):
            self._connecting.cancel()
        for transport in self._transports:
            how(transport)
        self._closed(self)


def _abort(transport: asyncio.Transport) -> None:
    found = transport.get_extra_info("socket")
    if found is not None:  # lingering for no time is what makes the kernel send RST
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
