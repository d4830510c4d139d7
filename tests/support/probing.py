"""Servers that are taken away and brought back by hand, beside a running probe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fireproof.judge.outage import Outage, find_outage
from fireproof.judge.recovery import why_invalid
from fireproof.judge.samples import ProbeSamples, parse_probe
from fireproof.judge.story import Source, Span
from fireproof.model.drill import HttpProbe
from fireproof.probes import start_probe
from fireproof.probes.running import ProbeProcess
from support.postgres import free_port
from support.records import RUN

SERVER = Path(__file__).with_name("answering_server.py")
FILE = "data/samples/api.csv"


class Server:
    """A server process of our own; ``listening`` is when it began to."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.start()

    def start(self) -> None:
        argv = [sys.executable, "-I", str(SERVER), str(self.port)]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        before, after = self._process.stdout.readline().split()
        self.listening = Span(int(before), int(after))

    def url(self, path: str = "/ok") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def signal(self, signum: int) -> Span:
        before = time.monotonic_ns()
        os.kill(self._process.pid, signum)
        return Span(before, time.monotonic_ns())

    def end(self) -> Span:
        before = time.monotonic_ns()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return Span(before, time.monotonic_ns())


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.end()


@contextmanager
def probing(bag: Path, url: str, **probe: object) -> Iterator[ProbeProcess]:
    """A prober on this URL, 10 ms apart unless told otherwise; stopped at the end."""
    told = HttpProbe.model_validate({"http": url, "every": "10ms"} | probe)
    running = start_probe("api", told, url=url, run=RUN, bag=bag, file=FILE)
    try:
        yield running
    finally:
        running.stop()


def wait_until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.005)


def samples_of(bag: Path) -> ProbeSamples:
    return parse_probe((bag / FILE).read_bytes())


@dataclass(frozen=True)
class Observed:
    """What the judge made of an outage, and what really happened."""

    outage: Outage
    down: Span
    up: Span
    invalid: str

    @property
    def true(self) -> bool:
        """Whether the intervals meet the truth, which is itself known only to within a span."""
        held, hi = self.outage, self.outage.up_hi_ns
        return (
            hi is not None
            and held.down.before_ns <= self.down.after_ns
            and self.down.before_ns <= held.down.after_ns
            and held.up_lo_ns <= self.up.after_ns
            and self.up.before_ns <= hi
        )


def killed(server: Server, length_s: float) -> tuple[Span, Span]:
    down = server.end()
    time.sleep(length_s)
    server.start()
    return down, server.listening


def paused(server: Server, length_s: float) -> tuple[Span, Span]:
    down = server.signal(signal.SIGSTOP)
    time.sleep(length_s)
    return down, server.signal(signal.SIGCONT)


def observe_outage(
    bag: Path,
    fault: Callable[[Server, float], tuple[Span, Span]],
    length_s: float,
    hold_s: float = 0.2,
) -> Observed:
    """One outage of this length under a 10 ms prober, judged."""
    with serving() as server, probing(bag, server.url(), good={"within": "50ms"}) as probe:
        wait_until(lambda: probe.observations() > 15)
        down, up = fault(server, length_s)
        wait_until(
            lambda: (
                (since := probe.good_since()) is not None
                and since > up.after_ns
                and time.monotonic_ns() - since > (hold_s + 0.1) * 1e9
            )
        )
        _, rows = probe.stop()
    samples = samples_of(bag)
    outage = find_outage(
        samples.asked, injection=down, hold_ns=int(hold_s * 1e9), recovered_ns=None, undo_ns=None
    )
    return Observed(outage, down, up, why_invalid(samples, Source(b"", 10 * 10**6, 10**9, rows)))
