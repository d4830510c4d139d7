"""The arithmetic and the words of the benchmarks; their numbers are nobody's test."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.line import Line, families, row
from bench.measure import Sample, in_turns, rank
from bench.page import page, table
from bench.rows.d_truth import Known, judge, lines_of
from bench.rows.f_load import ROLLBACK
from fireproof.cli.compose import vocabulary
from fireproof.drillfile import load_drill
from fireproof.judge.samples import Asked
from fireproof.model import params
from fireproof.model.load import Requests

MS = 10**6
HERE = Path(__file__).parents[3]


def test_a_sample_is_its_middle_with_quartiles() -> None:
    """One slow round may not move the number."""
    found = Sample.of([0.010, 0.012, 0.011, 0.500, 0.009])

    assert (found.median, found.low, found.high, found.n) == (0.011, 0.010, 0.012, 5)
    assert found.show("ms", 1e3) == "11 ms (10 to 12, n=5)"
    assert Sample.of([2.0]) == Sample(2.0, 2.0, 2.0, 1)
    with pytest.raises(ValueError, match="nothing was measured"):
        Sample.of([])


@pytest.mark.parametrize(("share", "expected"), [(0.99, 99), (1.0, 100), (0.5, 50), (0.001, 1)])
def test_a_rank_is_a_value_that_was_measured(share: float, expected: float) -> None:
    """99 of 100 means: at most one was worse."""
    assert rank(range(100, 0, -1), share) == expected


def test_acts_take_turns_and_the_first_round_is_not_counted() -> None:
    """A noisy minute has to hit both."""
    calls: list[str] = []

    times = in_turns([lambda: calls.append("a"), lambda: calls.append("b")], 2)

    assert "".join(calls) == "ababab"
    assert [len(one) for one in times] == [2, 2]


def test_a_budget_is_met_up_to_its_edge_and_missed_behind_it() -> None:
    """A missed budget that reads as met is the end of all budgets."""
    line = Line("w", "o", "p", 0.5, "x", 0.5)
    least = Line("w", "o", "p", 98.9, "%", 99, at_least=True)
    never = Line("w", "o", "p", math.inf, "ms", 15)

    assert line.cells() == ("w", "o", "p", "0.5x", "≤ 0.5x", "met")
    assert least.cells()[3:] == ("98.9 %", "≥ 99 %", "**missed**")
    assert never.cells()[3:] == ("never", "≤ 15 ms", "**missed**")
    assert Line("w", "o", "p", 3.0, "s").cells()[4:] == ("", "")


def test_the_page_names_what_was_missed_and_what_broke_down() -> None:
    """A row that is simply not there looks like one that nobody promised."""
    lines = [
        Line("good", "1", "2", 0.5, "x", 1),
        Line("bad", "3", "2", 1.5, "x", 1, note="slow disk"),
    ]

    told = page(lines, {"seal": "no openssl"}, 90.0, 0.25, "2 cores; commit abc")

    assert "1 of 2 budgets met; missed: bad." in told
    assert "- bad: slow disk" in told
    assert "- `seal` could not be measured: no openssl" in told
    assert "2 cores; commit abc" in told
    assert table(lines).count("\n| ") == 3


def test_every_named_row_is_found_once() -> None:
    """`make bench` would leave out a file that nobody listed."""
    expected = {"help", "one-step", "steps", "output", "digests", "seal", "recompute"}

    assert expected | {"recovery-truth", "lost-writes", "drill"} <= set(families())
    with pytest.raises(ValueError, match="two benchmarks"):
        row("help")(list)


def asked(bad: range, until: int) -> list[Asked]:
    """Questions 10 ms apart that take 1 ms each."""
    return [
        Asked(at * MS, at * MS, (at + 1) * MS, 200, "bad" if at in bad else "good")
        for at in range(0, until, 10)
    ]


def test_an_interval_that_misses_the_truth_is_counted_as_missed() -> None:
    """Of all benchmarks this one judges the judge."""
    questions = asked(range(500, 700), 1200)

    told = judge(questions, (498 * MS, 499 * MS, 499 * MS, 699 * MS), "kill")
    lied = judge(questions, (498 * MS, 499 * MS, 499 * MS, 650 * MS), "hang")
    blind = judge(asked(range(0), 1200), (498 * MS, 499 * MS, 499 * MS, 650 * MS), "hang")

    assert told.contained
    assert told.error < 10 * MS
    assert not lied.contained
    assert not blind.contained
    share = lines_of([told, lied, blind], [0.4])[0]
    assert (share.ours, share.met) == ("1 of 3", False)
    assert "kills missed 0, hangs missed 2" in share.note
    assert Known("kill", 1, True, 0.0, 1.0).contained


def test_the_drill_of_the_rollback_still_takes_what_the_row_asks() -> None:
    """A row that asks for a param that is gone measures nothing, and nobody runs it every day."""
    drill = load_drill(HERE / "drills/rollback.yaml", vocabulary(), params.Asked("full", ROLLBACK))
    load, promise = drill.load["traffic"], drill.objectives["no-append-failed"]
    appends = load.scenarios["encode"] / sum(load.scenarios.values())
    seconds = drill.baseline.for_ / 1e9

    assert isinstance(promise, Requests)
    assert promise.requests.at_least == int(ROLLBACK["requests"])
    assert appends * float(ROLLBACK["rate"].partition("/")[0]) * seconds > promise.requests.at_least
