"""Schedules keep their rate whatever their shape; percentiles are those of the textbook."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fireproof.judge.levels import concurrency, longest_gap_ns
from fireproof.judge.requests import Sent, nearest_rank
from fireproof.model.profile import Stage, arrivals, length_ns, mix, offsets_ns

_stages = st.lists(
    st.builds(
        Stage,
        st.integers(10**8, 20 * 10**9),
        st.floats(0.1, 300),
        st.floats(0.1, 300),
    ),
    min_size=1,
    max_size=4,
)


@given(_stages)
def test_a_schedule_makes_as_many_requests_as_the_area_under_its_rate(stages: list[Stage]) -> None:
    """One request too few a second is a promise about another load."""
    due = list(offsets_ns(stages))

    assert abs(len(due) - arrivals(stages)) <= 1  # the last one may fall on the very end
    assert due == sorted(due)
    assert due[0] == 0
    assert due[-1] <= length_ns(stages)


@given(_stages)
def test_requests_are_never_closer_than_the_highest_rate(stages: list[Stage]) -> None:
    """A bunch of requests would be a burst that nobody asked for."""
    due = list(offsets_ns(stages))
    closest = 1e9 / max(max(stage.rate0, stage.rate1) for stage in stages)

    assert all(after - before >= closest * (1 - 1e-6) - 2 for before, after in pairwise(due))


@given(_stages, st.integers(1, 5))
def test_workers_share_a_schedule_without_gap_or_repeat(stages: list[Stage], workers: int) -> None:
    """Each takes every Nth slot; together they are the schedule of one."""
    due = list(offsets_ns(stages))

    shared = sorted(one for index in range(workers) for one in due[index::workers])

    assert shared == due


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 20), min_size=1), st.integers(1, 9)
)
def test_the_mix_keeps_its_weights_in_every_round(shares: dict[str, int], rounds: int) -> None:
    """A random mix would be another load each time."""
    total = sum(shares.values())
    names = mix(shares)

    for _ in range(rounds):
        chosen = [next(names) for _ in range(total)]
        assert {name: chosen.count(name) for name in shares} == shares


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=300),
    st.sampled_from([50.0, 95.0, 99.0, 99.9]),
)
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[int], per_cent: float
) -> None:
    """The textbook's nearest rank, told another way; no interpolation invents a latency."""
    found = nearest_rank(np.array(values), per_cent)

    enough = math.ceil(round(per_cent * 10) * len(values) / 1000 - 1e-9)
    assert found in values
    assert sum(value <= found for value in values) >= enough
    assert sum(value < found for value in values) < enough


_sent = st.lists(
    st.tuples(st.integers(0, 10**10), st.integers(0, 50_000), st.integers(0, 10**6), st.booleans()),
    min_size=1,
    max_size=60,
)


def _load(rows: list[tuple[int, int, int, bool]]) -> Sent:
    rows = sorted(rows)
    due, late, more, good = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones(len(rows), dtype=np.int64)
    return Sent(due, late, late + more, ones, good, ones, ("", "encode"))


@given(_sent)
def test_concurrency_is_never_more_than_was_in_flight(
    rows: list[tuple[int, int, int, bool]],
) -> None:
    """A mean over a second cannot exceed the highest count, and needs what really overlapped."""
    sent = _load(rows)
    begin, end = sent.due_ns + sent.late_us * 1000, sent.due_ns + sent.latency_us * 1000

    most = max(int(((begin <= at) & (end >= at)).sum()) for at in begin)

    assert -1e-6 <= concurrency(sent) <= most + 1e-6


@given(_sent)
def test_the_longest_gap_is_found(rows: list[tuple[int, int, int, bool]]) -> None:
    """Told by looking at every instant that could begin one."""
    sent = _load(rows)
    done = [
        int(due + latency * 1000)
        for due, latency, good in zip(sent.due_ns, sent.latency_us, sent.good, strict=True)
        if good
    ]

    found = longest_gap_ns(sent)

    if not done:
        assert found is None
        return
    first, last = int(sent.due_ns[0]), max(int(sent.due_ns[-1]), max(done))
    edges = sorted([first, *done, last])
    assert found == max(after - before for before, after in pairwise(edges))
