from __future__ import annotations

import json
from typing import Any

import pytest

from fireproof.errors import MalformedError
from fireproof.evidence import canonical_bytes
from fireproof.evidence.statement import (
    PlanFile,
    RunFile,
    parse_plan,
    parse_run,
    plan_statement,
    run_statement,
)
from fireproof.evidence.statement import test_result_statement as make_test_result
from support.evidence import plan

PLAN = parse_plan(canonical_bytes(plan()))


def record(**changed: Any) -> dict[str, Any]:
    return {
        "format": "fireproof-run/v1",
        "run": PLAN.run,
        "sealed_at": "2026-03-02T05:00:00Z",
        "plan_sha256": PLAN.sha256,
        "environment_record": {},
        "judgement": {
            "outcome": "inconclusive",
            "objectives": [
                {"name": "rto", "verdict": "met"},
                {"name": "rpo", "verdict": "inconclusive"},
            ],
            "checks": [{"name": "digest", "verdict": "missed"}],
        },
        **changed,
    }


def run_file(**changed: Any) -> RunFile:
    return parse_run(canonical_bytes(record(**changed)))


def test_the_plan_statement_is_about_plan_json() -> None:
    """Targets are fixed before the run, or a miss can be turned into a met."""
    value = json.loads(plan_statement(PLAN))

    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["subject"] == [{"name": "plan.json", "digest": {"sha256": PLAN.sha256}}]
    assert value["predicateType"] == "https://fireproof.dev/drill-plan/v1"


def test_the_run_statement_is_about_the_bag_and_says_the_verdicts() -> None:
    """A policy engine reads the statement, not the bundle."""
    value = json.loads(
        run_statement("f" * 64, {"data/b": "b" * 64, "data/a": "a" * 64}, PLAN, run_file())
    )

    assert [subject["name"] for subject in value["subject"]] == [
        "tagmanifest-sha256.txt",
        "data/a",
        "data/b",
    ]
    assert value["subject"][0]["digest"] == {"sha256": "f" * 64}
    assert value["predicate"]["outcome"] == "inconclusive"
    assert value["predicate"]["verdicts"] == {"rto": "met", "rpo": "inconclusive"}
    assert value["predicate"]["plan"] == {"sha256": PLAN.sha256}


def test_what_a_profile_did_not_ask_stands_in_the_run_statement() -> None:
    """A policy that wants the soak must see that a passed smoke run never asked for it."""
    judgement = record()["judgement"] | {"not_asked": [{"name": "soaked", "reason": "full"}]}
    asked = json.loads(run_statement("f" * 64, {}, PLAN, run_file()))["predicate"]
    value = json.loads(run_statement("f" * 64, {}, PLAN, run_file(judgement=judgement)))

    assert value["predicate"]["notAsked"] == ["soaked"]
    assert "soaked" not in value["predicate"]["verdicts"]
    assert "notAsked" not in asked


@pytest.mark.parametrize("found", [{"soaked": 1}, ["soaked"], [{"reason": "full"}]])
def test_a_list_of_what_was_not_asked_is_read_strictly(found: object) -> None:
    """What cannot be read must not pass for "everything was asked"."""
    judgement = record()["judgement"] | {"not_asked": found}

    with pytest.raises(MalformedError, match="not_asked"):
        run_file(judgement=judgement)


@pytest.mark.parametrize(("files", "subjects"), [(999, 1000), (1000, 1)])
def test_past_a_thousand_subjects_the_tag_manifest_speaks_alone(files: int, subjects: int) -> None:
    """An incomplete list would look like a complete one."""
    digests = {f"data/{n}": "a" * 64 for n in range(files)}

    assert (
        len(json.loads(run_statement("f" * 64, digests, PLAN, run_file()))["subject"]) == subjects
    )


@pytest.mark.parametrize(
    ("outcome", "result"),
    [("passed", "PASSED"), ("failed", "FAILED"), ("inconclusive", "FAILED"), ("aborted", "FAILED")],
)
def test_only_a_pass_is_a_pass(outcome: str, result: str) -> None:
    """Gates take WARNED as good enough; unknown is never met."""
    judgement = {**record()["judgement"], "outcome": outcome}
    value = json.loads(make_test_result("f" * 64, {}, PLAN, run_file(judgement=judgement)))

    assert value["predicate"] == {
        "result": result,
        "configuration": [{"name": "plan.json", "digest": {"sha256": PLAN.sha256}}],
        "passedTests": ["objective:rto"],
        "warnedTests": ["objective:rpo"],
        "failedTests": ["check:digest"],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "fireproof-run/v2"},
        {"note": "x"},
        {"run": 1},
        {"judgement": []},
        {"environment_record": None},
        {"judgement": {"outcome": "passed", "objectives": {}, "checks": []}},
        {"judgement": {"outcome": "passed", "objectives": ["x"], "checks": []}},
        {"judgement": {"outcome": "passed", "objectives": [{"name": "a"}], "checks": []}},
        {"judgement": {"outcome": 0, "objectives": [], "checks": []}},
        {
            "judgement": {
                "outcome": "passed",
                "objectives": [{"name": "a", "verdict": "great"}],
                "checks": [],
            }
        },
        {
            "judgement": {
                "outcome": "passed",
                "objectives": [{"name": "a", "verdict": "met"}, {"name": "a", "verdict": "missed"}],
                "checks": [],
            }
        },
    ],
)
def test_a_run_record_of_another_shape_is_refused(changed: dict[str, Any]) -> None:
    """What cannot be read with certainty is not signed and not believed."""
    with pytest.raises(MalformedError, match=r"^run\.json"):
        run_file(**changed)


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"run":"r","created_at":"t","drill":{"drill":1},"environment":{}}']
)
def test_a_plan_of_another_shape_is_refused(data: bytes) -> None:
    """The same, for the plan."""
    with pytest.raises(MalformedError, match=r"^plan\.json"):
        parse_plan(data)


def test_a_plan_s_digest_is_of_its_bytes() -> None:
    """The journal's first record holds this number."""
    import hashlib

    assert isinstance(PLAN, PlanFile)
    assert PLAN.sha256 == hashlib.sha256(canonical_bytes(plan())).hexdigest()
