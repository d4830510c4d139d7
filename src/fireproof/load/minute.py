"""The last minute in numbers: for the eye of whoever watches, never for a verdict."""

from __future__ import annotations

import time

from hdrh.histogram import HdrHistogram

from fireproof.load.page import Page

_MINUTE_NS = 60 * 10**9
_LONGEST_US = 600 * 10**6


def _new() -> HdrHistogram:
    return HdrHistogram(1, _LONGEST_US, 3)


class Minutes:
    """Counts of one process, told once a minute."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._clear()

    def _clear(self) -> None:
        self._histogram, self._count, self._bad = _new(), 0, 0
        self._since_ns = time.monotonic_ns()

    def observe(self, latency_ns: int, good: bool) -> None:
        self._histogram.record_value(min(_LONGEST_US, max(1, latency_ns // 1000)))
        self._count += 1
        self._bad += not good

    def beat(self) -> None:
        """Tell, when a minute is over."""
        if time.monotonic_ns() - self._since_ns >= _MINUTE_NS:
            self._page.tell(self._count, self._bad, self._histogram.encode())
            self._clear()


def p99_ms(encoded: list[bytes]) -> float | None:
    """99th percentile over the histograms of all processes; None when there is none."""
    merged = _new()
    for one in filter(None, encoded):
        merged.decode_and_add(one)
    return merged.get_value_at_percentile(99) / 1000 if merged.get_total_count() else None
