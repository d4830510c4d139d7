"""An objective that a profile does not ask is never shown, and never held against a run."""

from __future__ import annotations

from typing import Any

from fireproof.cli.render import objective_lines
from fireproof.judge import judge_run
from fireproof.model.judgement import Judgement
from fireproof.model.plan import Plan
from support.records import RTO, make_plan, recovered_run, steady

GOOD = steady((100.2, 106.0))
ONLY_FULL = RTO | {"rto": "2s", "profiles": ["full"]}  # 6 s would miss it


def judged(profile: str, objectives: dict[str, Any]) -> Judgement:
    plan = make_plan(objectives=objectives).model_copy(update={"profile": profile})
    return recovered_run(GOOD).judged(plan)


def test_in_another_profile_it_is_named_and_has_no_verdict() -> None:
    """Somebody reads "passed" and believes four hours; the same result says what it is not."""
    found = judged("smoke", {"back": RTO, "for-hours": ONLY_FULL})

    assert [one.name for one in found.objectives] == ["back"]
    assert found.exit_code == 0
    assert found.reason.endswith("; 1 objective not asked in smoke")
    told = found.to_json()
    assert told["not_asked"] == [{"name": "for-hours", "reason": "only asked in profile full"}]
    assert objective_lines(told)[-1] == "NOT ASKED  for-hours: only asked in profile full"


def test_in_its_profile_it_is_judged_like_any_other() -> None:
    """Left out there too, it would be a promise that nobody ever keeps."""
    found = judged("full", {"back": RTO, "for-hours": ONLY_FULL})

    assert [one.verdict.value for one in found.objectives] == ["met", "missed"]
    assert (found.exit_code, found.not_asked) == (1, ())
    assert "not_asked" not in found.to_json()


def test_a_run_that_asks_nothing_shows_nothing() -> None:
    """With every objective moved to the other profile a smoke run would always be green."""
    found = judged("smoke", {"for-hours": ONLY_FULL})

    assert (found.outcome.value, found.exit_code) == ("inconclusive", 6)
    assert found.reason == "no objective was judged"


def test_a_plan_without_the_word_keeps_its_bytes() -> None:
    """Bundles sealed before it existed must still verify byte for byte."""
    plan = make_plan()
    body = plan.model_dump(mode="json", by_alias=True)

    assert "profiles" not in body["drill"]["objectives"]["recovery-time"]
    assert Plan.model_validate(body) == plan
    assert "not_asked" not in recovered_run(GOOD).judged(plan).to_json()


def test_the_profile_of_the_frozen_plan_decides() -> None:
    """The plan's own profile decides, not the caller's word: the same plan, the same result."""
    plan = make_plan(objectives={"back": RTO, "for-hours": ONLY_FULL})
    smoke = plan.model_copy(update={"profile": "smoke"})

    assert list(plan.asked()) == ["back", "for-hours"]
    assert list(smoke.asked()) == ["back"]
    assert judge_run(smoke, (), {}).not_asked[0].name == "for-hours"
