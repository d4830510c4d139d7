"""What a load's users and their master do alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket

READY_S = 60.0  # for every user's on_start, a login perhaps
_KEEP_S = 120  # of Locust's own per-second counters, which otherwise grow for hours


def until(true: Callable[[], Any], why: str, seconds: float | None = READY_S) -> None:
    """Wait; for ever when ``seconds`` is None.

    Raises:
        TimeoutError: with the reason.
    """
    give_up = None if seconds is None else time.monotonic() + seconds
    while not true():
        if give_up is not None and time.monotonic() > give_up:
            raise TimeoutError(why)
        gevent.sleep(0.005 if seconds else 0.05)


def watch_runner() -> None:
    """Stdin has nothing more to say; its end is the runner's."""
    while True:
        gevent.socket.wait_read(0)
        if not os.read(0, 4096):
            os._exit(2)  # rows up to the last flush are with the kernel


def forget(stats: Any) -> None:
    """Locust keeps a counter for every second of a run; nobody of ours reads the old ones."""
    horizon = int(time.time()) - _KEEP_S
    for entry in (*stats.entries.values(), stats.total):
        for counters in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in counters if second < horizon]:
                del counters[second]
