"""The child's half of ``ask``: reads one request, tells what it finds, line by line.

Stdlib only and free of our models: a child that asks one question must start fast.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

Request = Mapping[str, Any]
Tell = Callable[[Mapping[str, Any]], None]


TOO_LATE = "no answer in time"


class TooLateError(Exception):
    """The limit of one look has passed."""


def serve(work: Callable[[Request, Tell], None]) -> None:
    """Do the work that the parent asked for; ``argv`` holds the two file descriptors.

    What was told last counts. A line is written at once, so that a killed child has said what it
    knew.
    """
    request_fd, answer_fd = int(sys.argv[1]), int(sys.argv[2])
    for fd in (request_fd, answer_fd):
        os.set_inheritable(fd, False)
    with os.fdopen(request_fd, "rb") as file:
        file.seek(0)
        request = json.load(file)

    def tell(fact: Mapping[str, Any]) -> None:
        os.write(answer_fd, json.dumps(fact).encode() + b"\n")

    work(request, tell)


def cut_off(seen: Mapping[str, Any]) -> bool:
    """Whether a look ended because its time was up."""
    return seen.get("error") == TOO_LATE


@contextmanager
def look_limit(until_ns: int) -> Iterator[None]:
    """TooLateError in the block at that CLOCK_MONOTONIC instant, whatever it is waiting for."""

    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise TooLateError

    signal.signal(signal.SIGALRM, ring)
    left_s = max(0.001, (until_ns - time.monotonic_ns()) / 1e9)
    signal.setitimer(signal.ITIMER_REAL, left_s, 0.2)  # again, if a library swallowed the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
