"""The line a minute is merged from histograms, never averaged from percentiles."""

from __future__ import annotations

import pytest

from fireproof.children.status import new_page
from fireproof.load.minute import Minutes, p99_ms
from fireproof.load.page import PAGE_BYTES, Page


def test_two_processes_have_one_p99() -> None:
    """The mean of 10 ms and 1,000 ms would be shown for a load whose p99 is 1,000."""
    told = []
    for latency_ms, count in ((10, 900), (1000, 100)):
        page = Page(new_page(PAGE_BYTES))
        minutes = Minutes(page)
        for _ in range(count):
            minutes.observe(latency_ms * 10**6, True)
        minutes._since_ns -= 61 * 10**9
        minutes.beat()
        assert page.minute == 1
        told.append(page.told())

    assert [count for count, _, _ in told] == [900, 100]
    assert p99_ms([histogram for _, _, histogram in told]) == pytest.approx(1000, rel=0.002)
    assert p99_ms([]) is None
