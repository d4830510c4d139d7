"""MTTD: the alert as it came in, not as somebody remembers it."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.errors import MalformedError
from fireproof.judge.detection import parse_alerts
from fireproof.model.judgement import Judgement
from fireproof.model.sample import ALERT_HEADER
from fireproof.model.verdict import Outcome, Verdict
from support.records import PAGE, Tale, alerts_csv, make_plan, objective


def judged(data: bytes, limit: str = "10s", *, recovered_at: float = 112.0) -> Judgement:
    plan = make_plan(
        probes={"page": PAGE}, objectives={"detection": {"mttd": limit, "from": "page"}}
    )
    tale = Tale().phase("preflight", 89.0).phase("baseline", 90.0)
    tale.probe(data, name="page", kind="alerts", period=0.25).fault()
    tale.phase("recover", recovered_at).recovered(recovered_at)
    return tale.phase("verify").undone(recovered_at + 1).judged(plan)


def result(judgement: Judgement) -> Any:
    return objective(judgement, "detection")


def test_detection_lies_between_the_harm_and_the_receipt() -> None:
    """The harm took 50 ms (100.0 to 100.05), the receipt 1 ms."""
    found = result(judged(alerts_csv([(103.0, "firing")])))

    interval = found.measured[0].interval
    assert (round(interval.lo, 6), round(interval.hi, 6)) == (2.95, 3.001)
    assert found.verdict is Verdict.MET
    assert "arrived from the embedded evaluator after" in found.reason


@pytest.mark.parametrize(
    ("limit", "verdict"), [("3001ms", "met"), ("3s", "inconclusive"), ("2949ms", "missed")]
)
def test_a_limit_inside_the_interval_cannot_be_told(limit: str, verdict: str) -> None:
    """The resolution is not the system's."""
    assert result(judged(alerts_csv([(103.0, "firing")]), limit)).verdict.value == verdict


def test_an_alert_that_never_came_is_missed_even_if_the_service_came_back() -> None:
    """Nobody would have known."""
    judgement = judged(alerts_csv([]))

    assert result(judgement).verdict is Verdict.MISSED
    assert "never arrived" in result(judgement).reason
    assert judgement.outcome is Outcome.FAILED


def test_an_alert_that_nobody_waited_for_long_enough_cannot_be_told() -> None:
    """The run went on to recovery before the limit was over."""
    found = result(judged(alerts_csv([]), recovered_at=105.0))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "ended before the limit" in found.reason


def test_an_alert_that_fired_before_the_harm_says_nothing_of_it() -> None:
    """A stuck alert would detect everything at once."""
    stuck = result(judged(alerts_csv([(95.0, "firing"), (101.0, "firing")])))
    cleared = result(judged(alerts_csv([(95.0, "firing"), (97.0, "resolved"), (103.0, "firing")])))

    assert stuck.verdict is Verdict.INCONCLUSIVE
    assert "was firing before the harm" in stuck.reason
    assert cleared.verdict is Verdict.MET


def test_a_late_alert_of_a_paused_evaluator_is_not_the_systems_fault() -> None:
    """The measurement is invalid, not the system."""
    found = result(judged(alerts_csv([(108.0, "firing")], pause=(102.0, 108.0)), "5s"))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "its evaluator paused for" in found.reason


def test_no_samples_are_no_detection() -> None:
    """A probe that died is not a silent system."""
    plan = make_plan(probes={"page": PAGE}, objectives={"d": {"mttd": "10s", "from": "page"}})
    judgement = Tale().phase("baseline", 90.0).fault().recovered(112.0).undone(113.0).judged(plan)

    assert objective(judgement, "d").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "row",
    [
        "scrape,,2,1,ok",
        "scrape,A,1,2,ok",
        "scrape,,1,2,",
        "received,,1,2,firing",
        "received,A,1,2,maybe",
        "received,A,-1,2,firing",
        "received,A,1,2",
        "heard,A,1,2,firing",
    ],
)
def test_rows_of_another_shape_prove_nothing(row: str) -> None:
    """Bytes that cannot be read strictly are not read at all."""
    with pytest.raises(MalformedError):
        parse_alerts(f"{ALERT_HEADER}\n{row}\n".encode())
