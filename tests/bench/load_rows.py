"""Bench rows of the load: what it costs, and how far from the truth it is, beside Locust alone.

Each function returns one or more ``Measured``; ``make bench`` prints them, and nothing here decides
whether a test passes. ``python tests/bench/load_rows.py`` prints them by themselves.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fireproof.judge.requests import nearest_rank
from support.load import (
    Loaded,
    begin,
    finish,
    locust_alone,
    make_load,
    run_load,
    timed_server,
)

STALL: dict[str, Any] = {"stall_at_s": 8.0, "stall_s": 2.0}
RATE, LENGTH_S = 200, 20
LATEST_MS = 10.0


class Measured(NamedTuple):
    """One row: ours, the peer's number or None, their ratio or None, and the budget."""

    what: str
    ours: float
    unit: str
    peer: str
    theirs: float | None
    ratio: float | None
    budget: float


def _row(
    what: str, ours: float, unit: str, budget: float, peer: str = "", theirs: float | None = None
) -> Measured:
    return Measured(what, ours, unit, peer, theirs, ours / theirs if theirs else None, budget)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fireproof-bench-load-"))


def _run(length_s: float, rate: float, **server: Any) -> tuple[Loaded, list[int]]:
    folder = _folder()
    with timed_server(**server) as there:
        stages = [{"for": f"{length_s:g}s", "rate": f"{rate:g}/s"}]
        done = run_load(folder, make_load(folder, there.url, stages=stages))
        _, _, *written_ns = there.end()
    return done, written_ns


def stall_rows() -> Iterator[Measured]:
    """One stall of 2 s at 200/s: error of the percentiles against the server's own clock.

    The peer is the same locustfile under Locust's ``constant_throughput`` with 50 users, its
    percentiles as it reports them; the truth it is held against is that of an open load.
    """
    done, written_ns = _run(LENGTH_S, RATE, **STALL)
    sent = done.samples().sent
    true_us = (np.sort(np.array(written_ns)) - np.sort(sent.due_ns)) // 1000
    with timed_server(**STALL) as server:
        alone = locust_alone(_folder(), server.url, LENGTH_S, 50, RATE)
    for per_cent in (95.0, 99.0, 99.9):
        true = nearest_rank(true_us, per_cent)
        ours = abs(nearest_rank(sent.latency_us, per_cent) - true) / true * 100
        theirs = abs(_alone_us(alone, per_cent) - true) / true * 100
        what = f"stall of 2 s at {RATE}/s: error of p{per_cent:g}"
        yield _row(what, ours, "%", 2.0, "constant_throughput", theirs)


def _alone_us(statistics: list[dict[str, Any]], per_cent: float) -> float:
    """A percentile from Locust's own histogram of rounded milliseconds."""
    times = {float(ms): n for one in statistics for ms, n in one["response_times"].items()}
    left = per_cent / 100 * sum(times.values())
    for ms in sorted(times):
        left -= times[ms]
        if left <= 0:
            return ms * 1000
    return max(times) * 1000


def schedule_rows() -> Iterator[Measured]:
    """How well 200/s are 200/s: rate error, spread of the gaps, lateness."""
    done, _ = _run(LENGTH_S, RATE)
    samples = done.samples()
    begun_ns = np.sort(samples.sent.due_ns + samples.sent.late_us * 1000)
    gaps = np.diff(begun_ns) / 1e9
    yield _row(f"{RATE}/s: rate error", abs(1 / float(gaps.mean()) - RATE) / RATE * 100, "%", 0.05)
    yield _row(f"{RATE}/s: CV of the gaps", float(gaps.std() / gaps.mean()), "", 0.5)
    late_ms = (samples.lateness_p99_us or 0) / 1000
    yield _row(f"{RATE}/s: p99 lateness", late_ms, "ms", LATEST_MS)


def constant_rows() -> Iterator[Measured]:
    """A constant 1,049 ms, which Locust's statistics call 1,000."""
    done, written_ns = _run(5, 50, delay_s=1.049)
    sent = done.samples().sent
    true_us = (np.sort(np.array(written_ns)) - np.sort(sent.due_ns)) // 1000
    with timed_server(delay_s=1.049) as server:
        alone = locust_alone(_folder(), server.url, 5, 50, 40)
    for per_cent in (50.0, 99.0):
        true = nearest_rank(true_us, per_cent)
        ours = abs(nearest_rank(sent.latency_us, per_cent) - true) / true * 100
        theirs = abs(_alone_us(alone, per_cent) - 1_049_000) / 1_049_000 * 100
        yield _row(f"constant 1,049 ms: error of p{per_cent:g}", ours, "%", 0.1, "locust", theirs)


def size_rows() -> Iterator[Measured]:
    """Bytes a sample in the bundle, over enough of them that the file's frame does not matter."""
    done, _ = _run(60, 300)
    sizes = sum(len(data) for data in done.story.samples.values())
    yield _row("bytes a sample", sizes / done.ended.rows, "B", 6.0)


def memory_rows(length_s: float = 90.0) -> Iterator[Measured]:
    """Growth of the load's own process, by the judge's own slope; the first third is warm-up."""
    from fireproof.judge.growth import slope_per_hour
    from fireproof.probes.resources import read_held

    folder = _folder()
    points: list[tuple[float, float]] = []
    with timed_server() as server:
        stages = [{"for": f"{length_s:g}s", "rate": f"{RATE}/s"}]
        load = make_load(folder, server.url, stages=stages)
        running = begin(folder, load)
        began = time.monotonic()
        while not running.over():
            held = read_held(running.pids[0])
            if held and time.monotonic() - began > length_s / 3:
                points.append((time.monotonic() / 3600, held.rss_bytes / 2**20))
            time.sleep(0.5)
        finish(folder, load, running)
    slope, interval = slope_per_hour(points)
    grown = max(0.0, slope) * length_s / 3600
    yield _row(f"memory of the load: grown in {length_s:g} s", grown, "MiB", 2.0)
    yield _row("memory of the load: upper bound an hour", interval.hi, "MiB/h", 60.0)


def load_rows() -> Iterator[Measured]:
    """All of them, one after the other."""
    for rows in (stall_rows, schedule_rows, constant_rows, size_rows, memory_rows):
        yield from rows()


if __name__ == "__main__":
    for row in load_rows():
        beside = f", {row.peer} {row.theirs:.3g} {row.unit}" if row.theirs is not None else ""
        word = "within" if row.ours <= row.budget else "MISSED"
        print(f"{row.what}: {row.ours:.3g} {row.unit}{beside}; budget {row.budget:g}: {word}")
