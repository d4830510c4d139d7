"""From alert to mitigation: five instants of one run, in order, on one clock."""

from __future__ import annotations

from typing import Any

import pytest

from fireproof.catalog import Shown, covered
from fireproof.model.judgement import Judgement
from fireproof.model.verdict import Verdict
from support.records import API, PAGE, RTO, Tale, alerts_csv, make_plan, ns, objective, probe_csv

FLOW = {"mitigation": "10s", "detection": "detection", "recovery": "recovery-time", "covers": [106]}
PLAN: dict[str, Any] = {
    "probes": {"api": API, "page": PAGE},
    "objectives": {
        "recovery-time": RTO | {"rto": "30s"},
        "detection": {"mttd": "10s", "from": "page"},
        "flow": FLOW,
    },
    "recover": [{"kind": "process", "params": {"process": ["true"]}}],
}


def answers(back_at: float) -> bytes:
    """The service, asked ten times a second: away from 100 s until it is back."""
    asked = [90 + tenth / 10 for tenth in range(300)]
    rows = [(t, t, t + 0.005, "good" if t < 100 or t >= back_at else "bad-status") for t in asked]
    return probe_csv(rows)


def judged(
    *,
    alert_at: float | None = 102.0,
    acted_at: float = 103.0,
    step_at: float = 108.0,
    back_at: float = 109.0,
    ok: bool = True,
) -> Judgement:
    received = [] if alert_at is None else [(alert_at, "firing")]
    tale = Tale().phase("preflight", 89.0).phase("baseline", 90.0)
    tale.probe(answers(back_at)).probe(
        alerts_csv(received), name="page", kind="alerts", period=0.25
    )
    tale.fault().phase("recover", acted_at).step("recover", step_at, ok)
    tale.recovered(max(step_at, back_at) + 1, ok).phase("verify").undone(119.0)
    return tale.judged(make_plan(**PLAN))


def result(judgement: Judgement) -> Any:
    return objective(judgement, "flow")


def test_all_five_are_told_on_one_clock() -> None:
    """Whoever reads the record sees who knew what, and when, without adding up pages."""
    found = result(judged())

    told = {
        one.name: (round(one.interval.lo, 3), round(one.interval.hi, 3)) for one in found.measured
    }
    assert found.verdict is Verdict.MET
    assert told == {
        "alert-to-mitigation": (5.999, 6.0),
        "alert-to-acknowledgement": (0.999, 1.0),
        "injected": (0.0, 0.05),
        "alert": (1.95, 2.001),
        "acknowledged": (2.95, 3.0),
        "mitigated": (7.95, 8.0),
        "recovered": (8.85, 9.005),
    }


def test_the_row_is_covered_by_all_five() -> None:
    """A single number would not show the order."""
    plan = make_plan(**PLAN)
    [proof] = covered([Shown(plan, judged().to_json(), "0" * 64)])[106]

    for what in ("injected", "alert", "acknowledged", "mitigated", "recovered"):
        assert what in proof.observed


@pytest.mark.parametrize(
    ("story", "verdict", "said"),
    [
        ({"step_at": 112.5, "back_at": 113.0}, "missed", "from alert to mitigation, limit 10s"),
        ({"alert_at": 104.0, "acted_at": 103.0}, "missed", "somebody acted before the alert"),
        ({"acted_at": 108.0, "step_at": 110.0, "back_at": 106.0}, "missed", "before anybody acted"),
        ({"alert_at": None}, "inconclusive", "the alert never arrived"),
        ({"ok": False}, "inconclusive", "were not carried out"),
        ({"back_at": 500.0}, "inconclusive", "not seen to return"),
    ],
)
def test_what_is_late_or_out_of_order_is_not_met(
    story: dict[str, Any], verdict: str, said: str
) -> None:
    """A service that came back by itself was not mitigated by anyone."""
    found = result(judged(**story))

    assert (found.verdict.value, said in found.reason) == (verdict, True), found.reason


def test_a_person_who_acknowledges_counts_instead_of_the_runner() -> None:
    """The manual step is when somebody took it on."""
    tale = Tale().phase("preflight", 89.0).phase("baseline", 90.0)
    received = alerts_csv([(102.0, "firing")])
    tale.probe(answers(109.0)).probe(received, name="page", kind="alerts", period=0.25)
    tale.fault().phase("recover", 103.0).step("recover", 105.0)
    tale.records[-1].data["kind"] = "manual"
    tale.step("recover", 108.0, index=1).recovered(110.0).phase("verify").undone(119.0)

    found = result(tale.judged(make_plan(**PLAN | {"recover": PLAN["recover"] * 2})))

    acknowledged = next(one for one in found.measured if one.name == "acknowledged")
    assert acknowledged.interval.hi == ns(5) / 1e9
    assert "manual step" in acknowledged.note
