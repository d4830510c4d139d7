"""A drill that breaks nothing: the same phases, its checks observed, no claim of an undo."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.scenario import Scenario

pytestmark = pytest.mark.component


def harmless(scenario: Scenario) -> dict[str, Any]:
    drill = scenario.drill() | {
        "objectives": {"answers": {"checks": ["it answers"], "covers": [161]}},
        "params": {"status": 200, "watch": {"smoke": "100ms", "full": "1h"}},
        "baseline": {"for": "{param.watch}"},
        "verify": [
            {
                "title": "it answers",
                "http": "{tiny.url}/",
                "status": "{param.status}",
                "timeout": "5s",
            }
        ],
    }
    del drill["fault"], drill["recover"]
    return drill


def _run(scenario: Scenario, drill: dict[str, Any], *words: str) -> Any:
    return scenario.wait(scenario.call([*scenario.write(drill), *words]))


def test_nothing_is_broken_and_every_phase_is_there(scenario: Scenario) -> None:
    """A reader of the journal sees that no harm was planned, not that somebody forgot it."""
    ran = _run(scenario, harmless(scenario), "--profile", "smoke")

    assert ran.code == 0, ran.stderr
    assert (
        ran.result["judgement"]["reason"]
        == "1 objective met and 1 check held; no fault was planned"
    )
    lines = (ran.bundle / "data/journal.jsonl").read_text().splitlines()
    journal = [json.loads(line) for line in lines]
    phases = [record["data"]["phase"] for record in journal if record["kind"] == "phase"]
    assert phases == ["preflight", "baseline", "fault", "recover", "verify", "revert"]
    assert not [record for record in journal if record["kind"] in ("intent", "injected")]
    plan = json.loads((ran.bundle / "plan.json").read_text())
    assert (plan["profile"], plan["drill"]["fault"]) == ("smoke", [])
    assert plan["params"]["watch"] == {"value": "100ms", "from": "profile smoke"}
    assert scenario.verify(ran.bundle) == 0


def test_a_check_that_does_not_hold_is_missed(scenario: Scenario) -> None:
    """No fault is no excuse."""
    ran = _run(scenario, harmless(scenario), "--profile", "smoke", "--param", "status=201")

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr


def test_a_bad_param_stops_the_run_before_anything(scenario: Scenario) -> None:
    """A typing error at a prompt is a line to mend, not a run that is inconclusive."""
    ran = _run(scenario, harmless(scenario), "--param", "watch=soon", "--param", "statu=5")

    assert ran.code == 2
    assert "{param.watch} is 'soon', from --param" in ran.stderr
    assert "the drill has no such param; did you mean 'status'?" in ran.stderr
    assert ran.result is None
