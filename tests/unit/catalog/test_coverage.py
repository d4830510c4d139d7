"""A checklist row counts only where something was observed, in evidence that holds."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.catalog import Shown, covered, load_checklist
from fireproof.drillfile import parse_drill
from fireproof.model.drill import ROWS
from fireproof.model.environment import Environment
from fireproof.model.plan import Plan
from fireproof.model.verdict import Verdict
from fireproof.report.checklist import write_checklist
from unit.drillfile.examples import VOCABULARY

DRILL = """\
drill: small
title: A small drill
owner: platform-team
kind: component
cadence: P7D
components: [db]
hypothesis: It is back.
probes: {api: {http: "http://127.0.0.1/"}}
objectives:
  back: {rto: 10s, from: api, covers: [3, 106]}
  content: {checks: [one, two], covers: [14]}
  single: {checks: [one, two], covers: {two: [16], one: [17]}}
  bare: {checks: [one]}
fault: [{pause: db}]
"""


def _shown(
    checks: list[tuple[str, str, str]],
    *,
    interval: Any = None,
    drill: str = DRILL,
    place: str = "embedded",
    **more: Any,
) -> Shown:
    """A judged run: checks by name, verdict and observed value."""
    by_verdict = {name: verdict for name, verdict, _ in checks}
    judged = {
        "back": "met" if interval else "inconclusive",
        "content": "met" if set(by_verdict.values()) == {"met"} else "missed",
        "single": "met",
        "bare": "met",
    }
    measured = [{"name": "recovery", "unit": "s", "interval": interval, "note": ""}]
    plan = Plan(
        run="run-1",
        created_at="2026-03-02T04:05:06Z",
        drill=parse_drill(drill, "x", VOCABULARY),
        drill_file="x",
        environment=Environment.model_validate(
            {"environment": "lab", "class": place, "components": {"db": {"kind": "x"}}}
        ),
        procedures={},
        tool={},
        **more,
    )
    judgement = {
        "objectives": [
            {"name": name, "verdict": verdict, "measured": measured, "reason": "2 checks of 2 held"}
            for name, verdict in judged.items()
        ],
        "checks": [
            {"name": name, "verdict": verdict, "expected": "x", "observed": observed}
            for name, verdict, observed in checks
        ],
    }
    return Shown(plan, judgement, "a" * 64)


GOOD = [("one", "met", "seen 1"), ("two", "met", "seen 2")]


def test_rows_are_covered_by_measures_and_by_checks() -> None:
    """From a row to the value, the run and the objective that shows it."""
    found = covered([_shown(GOOD, interval={"lo": "1.5", "hi": "2"})])

    assert sorted(found) == [3, 14, 16, 17, 106]
    assert (found[3][0].observed, found[3][0].what) == ("recovery 1.50 s to 2.00 s", "back")
    assert (found[16][0].observed, found[16][0].what) == ("seen 2", "single: two")
    assert found[14][0].run == "run-1"


def test_nothing_observed_covers_nothing() -> None:
    """A drill that names a row and never looks would turn the page green."""
    assert covered([_shown([])]) == {}
    assert covered([_shown([("one", "met", " "), ("two", "met", "")])]) == {}
    assert sorted(covered([_shown([("two", "met", "seen")])])) == [16]


@pytest.mark.parametrize(
    ("place", "counts"),
    [("embedded", False), ("other", False), ("production-like", True), ("production", True)],
)
def test_a_row_that_asks_where_counts_only_there(place: str, counts: bool) -> None:
    """A rollback on a laptop is no rollback where it counts, however green."""
    drill = DRILL.replace("covers: [14]", "covers: [14, 24]")

    found = covered([_shown(GOOD, drill=drill, place=place)])

    assert (14 in found, 24 in found) == (True, counts)


def test_an_objective_that_was_not_asked_covers_nothing() -> None:
    """A smoke run names the rows of the four hours, too; it has not seen them."""
    run = _shown(GOOD, interval={"lo": "1", "hi": "2"})
    left = [one for one in run.judgement["objectives"] if one["name"] != "back"]
    unasked = [{"name": "back", "reason": "only asked in profile full"}]
    judgement = {**run.judgement, "objectives": left, "not_asked": unasked}

    assert sorted(covered([Shown(run.plan, judgement, "a" * 64)])) == [14, 16, 17]


def test_a_missed_check_is_shown_as_missed() -> None:
    """Hidden, it would read as not covered; counted, as met."""
    bad = [*GOOD, ("two", "missed", "seen otherwise"), ("two", "met", "seen again")]

    found = covered([_shown(bad)])

    assert (found[16][0].verdict, found[16][0].observed) == (Verdict.MISSED, "seen otherwise")
    assert found[17][0].verdict is Verdict.MET


def test_the_page_counts_only_what_is_met_and_lists_the_rest() -> None:
    """Somebody reads the first line only."""
    proofs = covered([_shown(GOOD), _shown([("two", "missed", "a | b")], profile="smoke")])
    page = write_checklist(load_checklist(), proofs, ["source"])

    first = "**2 of 161 rows are shown and met.** 1 are shown and not met, 158 are not covered."
    assert first in page
    bad = "| 16 | A tampered backup is refused | MISSED | small, single: two (smoke) | a \\| b |"
    assert bad in page
    assert (
        "| 15 | A drill of restore or replay is one command with one bundle | not covered" in page
    )
    rows = [line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert {int(line.split()[1]) for line in rows} == set(range(1, ROWS + 1))


def test_the_rows_are_those_that_drill_files_may_name() -> None:
    """A row that no file can name could never be covered."""
    rows = load_checklist()

    assert [row.number for row in rows] == list(range(1, ROWS + 1))
    assert all(row.title.strip() and row.section for row in rows)
    assert len({row.title for row in rows}) == ROWS


@pytest.mark.parametrize(("low", "said"), [(None, "unbounded"), ("1", "1.00 s to unbounded")])
def test_an_unbounded_interval_is_an_observation_too(low: str | None, said: str) -> None:
    """Never recovered is what was seen; its verdict is not met."""
    found = covered([_shown(GOOD, interval={"lo": low, "hi": None})])

    assert found[3][0].observed == f"recovery {said}"


def test_of_counted_requests_the_whole_number_is_told() -> None:
    """None failed of how many? Of a thousand it means something else than of ten."""
    drill = DRILL.replace(
        "  back: {rto: 10s, from: api, covers: [3, 106]}",
        "  back: {requests: {failed: 0, at-least: 1000}, from: traffic, covers: [28]}",
    )
    load = "load: {traffic: {locustfile: x.py, target: y, stages: [{for: 9s, rate: 200/s}]}}\n"

    found = covered([_shown(GOOD, interval={"lo": "0", "hi": "0"}, drill=drill + load)])

    assert found[28][0].observed == "2 checks of 2 held"  # the reason, not the first measure
