"""Measuring: in turns, so that a noisy minute hits both; the middle of many, with its spread."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Act = Callable[[], object]


@dataclass(frozen=True)
class Sample:
    """Median, quartiles and number of measurements of one thing."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Of at least one value; a single one has no spread."""
        if not values:
            raise ValueError("nothing was measured")
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high, len(values))

    def show(self, unit: str, factor: float = 1.0) -> str:
        """Such as ``12.3 ms (11.9 to 13.0, n=15)``."""
        middle, low, high = (_short(value * factor) for value in (self.median, self.low, self.high))
        return f"{middle} {unit} ({low} to {high}, n={self.n})"


def _short(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rank(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(share * len(ordered) * 1e9) // 10**9) - 1)]


def in_turns(acts: Sequence[Act], rounds: int, *, warm: bool = True) -> list[list[float]]:
    """Seconds of each act, taken in turns; a first round warms the caches and is not counted."""
    times: list[list[float]] = [[] for _ in acts]
    for number in range(rounds + warm):
        for index, act in enumerate(acts):
            began = time.perf_counter()
            act()
            took = time.perf_counter() - began
            if number or not warm:
                times[index].append(took)
    return times


def command(argv: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> Act:
    """An act that runs this and insists on exit 0."""

    def act() -> None:
        done = subprocess.run(
            argv, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout)[-2000:]
            raise SystemExit(f"bench: {' '.join(argv[:4])} exits {done.returncode}: {said}")

    return act


def peak_rss_bytes(argv: list[str], cwd: Path, env: dict[str, str] | None = None) -> int:
    """Largest resident set of the command and of every descendant that was waited for."""
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(argv, cwd=cwd, env=env, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"bench: {' '.join(argv[:4])} exits {child.returncode}")
    return usage.ru_maxrss * 1024
