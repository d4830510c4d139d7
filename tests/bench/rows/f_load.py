"""What a load costs, and how far from the truth it is, beside Locust alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.line import Line, row
from bench.peers import HERE, fireproof
from bench.projects import scratch
from fireproof.judge.requests import nearest_rank
from fireproof.load.sheet import SEGMENT_ROWS
from support.load import Loaded, begin, finish, locust_alone, make_load, run_load, timed_server

STALL: dict[str, Any] = {"stall_at_s": 8.0, "stall_s": 2.0}
RATE, LENGTH_S = 200, 20
# The first segment of samples brings what writes it (25 MiB, at 82 s); growth is what comes later.
WARM_S = SEGMENT_ROWS / RATE + 15
MEMORY_S = WARM_S + 170
ROLLBACK = {"rate": "100/s", "settle": "150s", "requests": "10000"}  # three of four append


@row("stall")
def stall() -> list[Line]:
    """One stall of 2 s at 200/s: error of the percentiles against the server's own clock.

    The peer is the same locustfile under Locust's ``constant_throughput`` with 50 users, its
    percentiles as it reports them; the truth it is held against is that of an open load.
    """
    with scratch() as folder:
        done, written_ns = _run(folder / "ours", LENGTH_S, RATE, **STALL)
        alone = _alone(folder / "alone", LENGTH_S, RATE, **STALL)
    true_us = _true_us(done, written_ns)
    lines = []
    for per_cent in (95.0, 99.0, 99.9):
        true = nearest_rank(true_us, per_cent)
        what = f"stall of 2 s at {RATE}/s: error of p{per_cent:g}"
        lines.append(_beside(what, done, per_cent, true, _alone_us(alone, per_cent), true, 2.0))
    return lines


@row("schedule")
def schedule() -> list[Line]:
    """How well 200/s are 200/s: rate error, spread of the gaps, lateness."""
    with scratch() as folder:
        done, _ = _run(folder, LENGTH_S, RATE)
    samples = done.samples()
    begun_ns = np.sort(samples.sent.due_ns + samples.sent.late_us * 1000)
    gaps = np.diff(begun_ns) / 1e9
    off = abs(1 / float(gaps.mean()) - RATE) / RATE * 100
    late_ms = (samples.lateness_p99_us or 0) / 1000
    spread = float(gaps.std() / gaps.mean())
    return [
        _line(f"{RATE}/s: rate error", off, "%", 0.05),
        _line(f"{RATE}/s: CV of the gaps", spread, "", 0.5),
        _line(f"{RATE}/s: p99 lateness", late_ms, "ms", 10.0),
    ]


@row("constant")
def constant() -> list[Line]:
    """A constant 1,049 ms, which Locust's statistics call 1,000."""
    with scratch() as folder:
        done, written_ns = _run(folder / "ours", 5, 50, delay_s=1.049)
        alone = _alone(folder / "alone", 5, 40, delay_s=1.049)
    true_us = _true_us(done, written_ns)
    lines = []
    for per_cent in (50.0, 99.0):
        true, theirs = nearest_rank(true_us, per_cent), _alone_us(alone, per_cent)
        what = f"constant 1,049 ms: error of p{per_cent:g}"
        lines.append(_beside(what, done, per_cent, true, theirs, 1_049_000, 0.1))
    return lines


@row("sample-size")
def sample_size() -> list[Line]:
    """Bytes a sample in the bundle, over enough of them that the file's frame does not matter."""
    with scratch() as folder:
        done, _ = _run(folder, 60, 300)
    sizes = sum(len(data) for data in done.story.samples.values())
    found = sizes / done.ended.rows
    return [_line("bytes a sample", found, "B", 6.0, f"{sizes} B, {done.ended.rows} samples")]


@row("load-memory")
def load_memory() -> list[Line]:
    """Growth of the load's own process, by the judge's own slope, after its first segment."""
    from fireproof.judge.growth import slope_per_hour
    from fireproof.probes.resources import read_held

    points: list[tuple[float, float]] = []
    with scratch() as folder, timed_server() as server:
        stages = [{"for": f"{MEMORY_S:g}s", "rate": f"{RATE}/s"}]
        load = make_load(folder, server.url, stages=stages)
        running = begin(folder, load)
        began = time.monotonic()
        while not running.over():
            held = read_held(running.pids[0])
            if held and time.monotonic() - began > WARM_S:
                points.append((time.monotonic() / 3600, held.rss_bytes / 2**20))
            time.sleep(0.5)
        finish(folder, load, running)
    slope, interval = slope_per_hour(points)
    watched_s = MEMORY_S - WARM_S
    grown = max(0.0, slope) * watched_s / 3600
    seen = f"{points[-1][1]:.0f} MiB at the end"
    return [
        _line(f"memory of the load: grown in {watched_s:g} s", grown, "MiB", 2.0, seen),
        _line("memory of the load: upper bound an hour", interval.hi, "MiB/h", 60.0),
    ]


@row("rollback")
def rollback() -> list[Line]:
    """Appends that failed while a bad version came and went, of 10,000: the drill's own count."""
    words = [word for name, value in ROLLBACK.items() for word in ("--param", f"{name}={value}")]
    with scratch() as folder:
        folder.chmod(0o755)  # the lab's database runs as another user
        environ = {key: value for key, value in os.environ.items() if "FIREPROOF_" not in key}
        environ |= {
            f"FIREPROOF_{name}": str(folder / place)
            for name, place in (("LAB_DIR", "lab"), ("LEASES", "leases"), ("EVIDENCE", "evidence"))
        }
        argv = [fireproof(), "run", "drills/rollback.yaml", "--with-lab", "--quiet", *words]
        done = subprocess.run(argv, cwd=HERE, env=environ, capture_output=True, text=True)
        results = sorted(folder.glob("evidence/runs/*/result.json"))
        if not results:
            raise RuntimeError(done.stderr)
        judgement = json.loads(results[-1].read_text("utf-8"))["judgement"]
    found = next(one for one in judgement["objectives"] if one["name"] == "no-append-failed")
    count = {one["name"]: one["interval"] for one in found["measured"]}
    if not (count.get("failed") and count.get("requests")):
        raise RuntimeError(found["reason"])
    sent, failed = (float(count[name]["hi"]) for name in ("requests", "failed"))
    asked = float(ROLLBACK["requests"])
    return [
        Line("rollback: appends sent", f"{sent:.0f}", "", sent, "", asked, at_least=True),
        Line(
            "rollback: appends failed",
            found["reason"],
            "",
            failed,
            "",
            0.0,
            note="" if judgement["outcome"] == "passed" else judgement["reason"],
        ),
    ]


def _run(folder: Path, length_s: float, rate: float, **server: Any) -> tuple[Loaded, list[int]]:
    folder.mkdir(exist_ok=True)
    with timed_server(**server) as there:
        stages = [{"for": f"{length_s:g}s", "rate": f"{rate:g}/s"}]
        done = run_load(folder, make_load(folder, there.url, stages=stages))
        _, _, *written_ns = there.end()
    return done, written_ns


def _alone(folder: Path, length_s: float, rate: float, **server: Any) -> list[dict[str, Any]]:
    folder.mkdir()
    with timed_server(**server) as there:
        found: list[dict[str, Any]] = locust_alone(folder, there.url, length_s, 50, rate)
    return found


def _true_us(done: Loaded, written_ns: list[int]) -> Any:
    """From due to written by the server, as its own clock says."""
    return (np.sort(np.array(written_ns)) - np.sort(done.samples().sent.due_ns)) // 1000


def _alone_us(statistics: list[dict[str, Any]], per_cent: float) -> float:
    """A percentile from Locust's own histogram of rounded milliseconds."""
    times = {float(ms): n for one in statistics for ms, n in one["response_times"].items()}
    left = per_cent / 100 * sum(times.values())
    for ms in sorted(times):
        left -= times[ms]
        if left <= 0:
            return ms * 1000
    return max(times) * 1000


def _beside(
    what: str,
    done: Loaded,
    per_cent: float,
    true: float,
    theirs: float,
    their_true: float,
    most: float,
) -> Line:
    """Both errors in per cent; ours is held against the budget."""
    ours = nearest_rank(done.samples().sent.latency_us, per_cent)
    error, peer = abs(ours - true) / true * 100, abs(theirs - their_true) / their_true * 100
    told = f"{ours / 1000:.1f} ms of {true / 1000:.1f} ms"
    return Line(what, told, f"locust alone: {theirs / 1000:.0f} ms, {peer:.3g} %", error, "%", most)


def _line(what: str, found: float, unit: str, budget: float, ours: str = "") -> Line:
    shown = f"{found:.3g} {unit}".strip()
    return Line(what, ours or shown, "", math.inf if math.isnan(found) else found, unit, budget)
