"""What drills make of metrics, logs, breakers and retries: each must be able to say no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.scripts import load_script

PAGE = """\
# TYPE ledger_requests_total counter
ledger_requests_total{route="events"} %d
# TYPE ledger_request_seconds histogram
ledger_request_seconds_bucket{le="+Inf"} 1
ledger_request_seconds_count 1
ledger_request_seconds_sum 1
# TYPE ledger_appends_total counter
ledger_appends_total 1
# TYPE ledger_ready gauge
ledger_ready 1
"""


class Noted:
    """Takes what a script would hand back."""

    def __init__(self) -> None:
        self.found: dict[str, bool | None] = {}

    def add(self, name: str, ok: bool | None, expected: str, observed: str) -> None:
        assert expected
        assert observed
        self.found[name] = ok


def scrapes(*pages: tuple[str, int, str]) -> Any:
    """Instance, status, page."""
    made = load_script("scrapes").Scrapes({})
    kind = "text/plain; version=1.0.0"
    made.taken += [
        {"instance": name, "status": status, "type": kind, "page": page}
        for name, status, page in pages
    ]
    return made


@pytest.mark.parametrize(
    ("pages", "red"),
    [
        ([("a", 200, PAGE % 1), ("a", 200, PAGE % 2)], []),
        ([("a", 200, PAGE % 2), ("a", 200, PAGE % 1)], ["counters-never-fall"]),
        ([("a", 500, PAGE % 1)], ["every-page-parses"]),
        ([("a", 200, "ledger_requests_total 1\n")], ["every-page-parses"]),
        ([("a", 200, (PAGE % 1) + "ledger_x{y= 1\n")], ["every-page-parses"]),
    ],
)
def test_pages_that_are_not_what_they_should_be(
    pages: list[tuple[str, int, str]], red: list[str]
) -> None:
    """A series that nobody can read, or whose counter was set back, is no evidence."""
    noted = Noted()
    back = [("b", 0, ""), ("b", 200, PAGE % 1)]

    load_script("scrapes").judge_pages(scrapes(*pages, *back), "b", noted)

    assert [name for name, ok in noted.found.items() if not ok] == red


def test_an_outage_that_the_series_do_not_show() -> None:
    """Then it could not be alerted on."""
    noted = Noted()

    load_script("scrapes").judge_pages(scrapes(("b", 200, PAGE % 1)), "b", noted)

    assert noted.found["outage-in-series"] is False


@pytest.mark.parametrize(
    ("numbers", "asked", "red"),
    [
        ([1, 2, 3, 4], ["2", "3"], []),
        ([1, 2, 3, 1, 2], ["1"], []),
        ([1, 2, 3, 5], ["5"], ["no-line-lost-in-rotation"]),
        ([1, 2, 3, 4], ["5"], ["every-request-logged"]),
        ([1, 2, 3, 4], [], ["every-request-logged"]),
    ],
)
def test_lines_that_are_missing(
    tmp_path: Path, numbers: list[int], asked: list[str], red: list[str]
) -> None:
    """By their numbers, and by the requests that somebody else knows of."""
    module, noted = load_script("rotation"), Noted()
    path = tmp_path / "one.log"
    log = module.Rotated(path, "run")
    texts = [json.dumps({"n": n, "request_id": str(n)}) + "\n" for n in numbers]
    path.write_text("".join(texts[:2]))
    log.rotate()
    path.write_text("".join(texts[2:]))

    module.judge_rotation({"one": log}, {"one": asked}, noted)

    assert [name for name, ok in noted.found.items() if not ok] == red


def breaker(*states: str) -> list[str]:
    return [
        json.dumps({"message": "breaker", "detail": f"engine: {states[i]} -> {states[i + 1]}"})
        for i in range(len(states) - 1)
    ]


@pytest.mark.parametrize(
    ("lines", "metrics", "said"),
    [
        (breaker("closed", "opened", "half-opened"), {"opened": 3, "half-opened": 4}, (True, True)),
        (
            breaker("closed", "opened", "half-opened"),
            {"opened": 4, "half-opened": 3},
            (True, False),
        ),
        (breaker("closed", "opened"), {"opened": 3, "half-opened": 4}, (False, False)),
        ([], {"opened": 3, "half-opened": 4}, (False, False)),
        (
            [*breaker("closed", "opened"), *breaker("closed", "half-opened")],
            {"opened": 3, "half-opened": 4},
            (True, False),
        ),
    ],
)
def test_transitions_told_otherwise_in_the_log(
    lines: list[str], metrics: dict[str, int], said: tuple[bool, bool]
) -> None:
    """Whoever reads one of the two would be misled."""
    noted = Noted()
    told = {f"transition_place {state}": float(place) for state, place in metrics.items()}
    told |= {"transitions_total opened": 2.0, "transitions_total half-opened": 2.0}

    load_script("breaker_told").judge_told(lines, "engine", 2.0, told, noted)

    assert tuple(noted.found.values()) == said


def test_a_breaker_that_never_moved_shows_nothing() -> None:
    """Neither right nor wrong."""
    noted = Noted()

    load_script("breaker_told").judge_told(
        [], "engine", 0.0, {"transitions_total opened": 0.0}, noted
    )

    assert set(noted.found.values()) == {None}


def tries(*gaps: float) -> dict[str, Any]:
    return {"status": 503, "attempts": len(gaps) + 1, "gaps_s": list(gaps)}


@pytest.mark.parametrize(
    ("facts", "meant", "red"),
    [
        ([tries(0.03, 0.06), tries(0.04, 0.08), tries(0.05, 0.1)], (60, 80), []),
        ([tries(0.03, 0.06), tries(0.04, 0.08, 0.1)], (60, 80), ["attempts-bounded"]),
        ([tries(0.003, 0.06), tries(0.04, 0.08)], (60, 80), ["gaps-back-off"]),
        ([tries(0.03, 0.3), tries(0.04, 0.4)], (60, 80), ["gaps-back-off"]),
        ([tries(0.05, 0.1), tries(0.051, 0.101), tries(0.05, 0.14)], (60, 80), ["gaps-vary"]),
        ([tries(0.05, 0.1), tries(0.05, 0.12), tries(0.05, 0.14)], (100, 100), ["gaps-vary"]),
        ([tries(0.05, 0.1), tries(0.05, 0.12), tries(0.05, 0.14)], (), ["gaps-vary"]),
    ],
)
def test_attempts_that_are_not_as_the_policy_says(
    facts: list[dict[str, Any]], meant: tuple[int, ...], red: list[str]
) -> None:
    """Too many, too soon, too late, or all in step, however unevenly the machine runs."""
    noted = Noted()
    lines = [f"engine: attempt 2 failed: no answer; next in {each} ms" for each in meant]

    load_script("retries").judge_retries(facts, lines, noted)

    assert [name for name, ok in noted.found.items() if not ok] == red


def test_attempts_that_nobody_saw_show_nothing() -> None:
    """An open breaker asks nobody."""
    noted = Noted()

    load_script("retries").judge_retries([tries() | {"attempts": 0}], [], noted)

    assert set(noted.found.values()) == {None}
