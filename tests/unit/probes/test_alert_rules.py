from __future__ import annotations

import json

import pytest

from fireproof.model.rule import Series, Watched, parse_expression
from fireproof.probes.alerts.watch import read_series
from fireproof.probes.alerts.webhook import alerts_of, body_of

PAGE: list[Series] = [
    ("age_seconds", {"tenant": "a"}, 3.0),
    ("age_seconds", {"tenant": "b"}, 7.0),
    ("up", {}, 1.0),
]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("age_seconds > 5", True),
        ('age_seconds{tenant="a"} > 5', False),
        ('age_seconds{tenant!="b"} > 5', False),
        ('age_seconds{tenant="b",} >= 7', True),
        ("age_seconds < 3", False),
        ("age_seconds <= 3.0", True),
        ("up == 0", False),
        ("up != 0", True),
        ("nothing > 0", False),
        ("absent(nothing)", True),
        ("absent(up)", False),
        ('absent(age_seconds{tenant="c"})', True),
        ("age_seconds > 1e3", False),
    ],
)
def test_an_expression_means_what_prometheus_means_by_it(text: str, holds: bool) -> None:
    """The rule that a drill proves is the rule that pages somebody."""
    assert parse_expression(text).holds(PAGE) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up",
        "up = 0",
        "rate(x[5m]) > 1",
        "up > NaN",
        'x{a=~"b"} > 1',
        "1 > 0",
        "a > b",
        "x{a} > 1",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """A rule that is guessed at would never fire."""
    with pytest.raises(ValueError, match="expected"):
        parse_expression(text)


def test_a_rule_fires_only_after_it_held_for_its_time_and_ends_once() -> None:
    """A flapping value must not page, and a page comes once."""
    rule = Watched("Stale", parse_expression("age_seconds > 5"), for_ns=10)
    bad: list[Series] = [("age_seconds", {}, 9.0)]
    good: list[Series] = [("age_seconds", {}, 1.0)]

    told = [rule.evaluate(*one) for one in [(bad, 0), (good, 5), (bad, 6), (bad, 15), (bad, 16)]]
    more = [rule.evaluate(*one) for one in [(bad, 30), (good, 40), (good, 50)]]

    assert told == [None, None, None, None, True]
    assert more == [None, False, None]


def test_a_page_that_is_no_metrics_page_is_not_an_empty_one() -> None:
    """An error page read as "no series" would end every alert."""
    assert read_series(b"# TYPE age gauge\nage 3\n") == [("age", {}, 3.0)]
    assert read_series(b"<html>") is None
    assert read_series(b"age three\n") is None
    assert read_series(b"\xff") is None


def test_what_we_post_is_what_alertmanager_posts() -> None:
    """So that a real one can take the evaluator's place."""
    assert alerts_of(body_of("Stale", True, {"severity": "page"})) == [("Stale", True)]
    assert alerts_of(body_of("Stale", False, {})) == [("Stale", False)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"alerts": {}}',
        b'{"alerts": [{}]}',
        b'{"alerts": [{"status": "on", "labels": {"alertname": "A"}}]}',
        b'{"alerts": [{"status": "firing", "labels": {"alertname": 3}}]}',
        json.dumps({"alerts": [{"status": "firing", "labels": {"alertname": "a,b\n"}}]}).encode(),
        b"[" * 100_000,
    ],
)
def test_a_post_that_is_no_alert_is_refused(body: bytes) -> None:
    """It would become a row that nobody can read, or a detection that never was."""
    with pytest.raises(ValueError, match="expected"):
        alerts_of(body)
