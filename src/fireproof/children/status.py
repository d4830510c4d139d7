"""Counters that a child shares with its runner: a page of memory, eight bytes a number.

Each number is written whole by one process and only read by the other, so no lock is needed.
"""

from __future__ import annotations

import mmap
import os

STARTING, RUNNING, FINISHED = 0, 1, 2
_OBSERVATIONS, _ERRORS, _GOOD_SINCE, _STATE, _ROWS = range(5)
_SIZE = mmap.PAGESIZE


def new_page(size: int = _SIZE) -> int:
    """File descriptor of zeroed anonymous memory, to be handed to a child."""
    fd = os.memfd_create("fireproof-probe")
    os.ftruncate(fd, size)
    return fd


class Status:
    """The page, seen through names."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, 0)
        self._words = memoryview(self._map).cast("Q")

    def observed(self, good: bool, at_ns: int) -> None:
        """Count one observation that ended at ``at_ns``."""
        words = self._words
        if not good:
            words[_ERRORS] += 1
            words[_GOOD_SINCE] = 0
        elif words[_GOOD_SINCE] == 0:
            words[_GOOD_SINCE] = at_ns
        words[_OBSERVATIONS] += 1

    @property
    def observations(self) -> int:
        return self._words[_OBSERVATIONS]

    @property
    def errors(self) -> int:
        return self._words[_ERRORS]

    @property
    def good_since(self) -> int | None:
        return self._words[_GOOD_SINCE] or None

    @property
    def state(self) -> int:
        return self._words[_STATE]

    @state.setter
    def state(self, value: int) -> None:
        self._words[_STATE] = value

    @property
    def rows(self) -> int:
        return self._words[_ROWS]

    @rows.setter
    def rows(self, value: int) -> None:
        self._words[_ROWS] = value
