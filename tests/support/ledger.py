"""A ledger of a lab, asked and handled the way a drill does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from fireproof.processes import descendants


def control(component: dict[str, Any], verb: str, *words: str) -> None:
    """Start or stop a component the way a drill does."""
    subprocess.run([*component["control"][verb], *words], check=True, capture_output=True)


def metric(component: dict[str, Any], name: str) -> float:
    """Value of a metric, given with its labels as ``name{label="x"}``."""
    text = httpx.get(component["url"] + "/metrics", timeout=5).text
    found = [line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0])


def until(holds: Callable[[], bool], within_s: float = 10.0) -> float:
    """Seconds until it held."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within_s, "it did not come to hold"
        time.sleep(0.02)
    return time.monotonic() - started


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A server and all its children stand still for the length of the block."""
    pids = [pid, *descendants(pid)]
    for each in pids:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in pids:
            os.kill(each, signal.SIGCONT)
