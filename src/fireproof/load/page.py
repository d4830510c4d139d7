"""What a load's process tells its runner while it works: counters and the last minute's latencies.

The histogram is for the eye only, three digits wide; verdicts are read from the raw samples.
"""

from __future__ import annotations

import os

from fireproof.children.status import Status

READY = 8  # users stand by; the schedule waits for its start (states below are the prober's)
PAGE_BYTES = 1 << 17
_SLOTS, _MINUTE, _COUNT, _BAD, _LENGTH = range(5, 10)
_TEXT = 256  # the histogram's place, in bytes


class Page(Status):
    """One process's page."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        assert os.fstat(fd).st_size >= PAGE_BYTES  # noqa: S101 - ours on both sides

    @property
    def slots(self) -> int:
        """Requests that came due."""
        return self._words[_SLOTS]

    @slots.setter
    def slots(self, value: int) -> None:
        self._words[_SLOTS] = value

    @property
    def minute(self) -> int:
        """How many minutes have been told."""
        return self._words[_MINUTE]

    def tell(self, count: int, bad: int, histogram: bytes) -> None:
        """A minute is over."""
        fits = histogram if len(histogram) <= PAGE_BYTES - _TEXT else b""
        self._words[_COUNT], self._words[_BAD], self._words[_LENGTH] = count, bad, len(fits)
        self._map[_TEXT : _TEXT + len(fits)] = fits
        self._words[_MINUTE] += 1

    def told(self) -> tuple[int, int, bytes]:
        """Requests, bad ones, and the encoded histogram of the last minute."""
        length = min(self._words[_LENGTH], PAGE_BYTES - _TEXT)
        return self._words[_COUNT], self._words[_BAD], self._map[_TEXT : _TEXT + length]
