"""Statements: what is claimed about which bytes, in the in-toto Statement v1 form.

Each is a pure function of the bundle's own files, so a verifier makes it again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fireproof.errors import MalformedError
from fireproof.evidence.canonical import canonical_bytes, parse_canonical_object
from fireproof.evidence.digest import sha256_hex
from fireproof.evidence.layout import PLAN, RUN, TAG_MANIFEST

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
DRILL_PLAN: Final = "https://fireproof.dev/drill-plan/v1"
DRILL_RUN: Final = "https://fireproof.dev/drill-run/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
RUN_FORMAT: Final = "fireproof-run/v1"
GAMEDAY_PLAN_FORMAT: Final = "fireproof-gameday-plan/v1"
GAMEDAY_RUN_FORMAT: Final = "fireproof-gameday-run/v1"
MAX_SUBJECTS: Final = (
    1_000  # past this the tag manifest speaks for the files: 150 bytes each add up
)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What evidence needs to know of a plan.json."""

    run: str
    created_at: str
    drill: str  # or game day, by its kind
    environment: str
    sha256: str
    kind: str = "drill"  # or "gameday"


@dataclass(frozen=True, slots=True)
class RunFile:
    """What evidence needs to know of a run.json."""

    run: str
    sealed_at: str
    plan_sha256: str
    outcome: str
    verdicts: Mapping[str, str]  # by objective
    checks: tuple[tuple[str, str], ...]  # name, verdict; names may repeat
    judgement: Mapping[str, Any]
    kind: str = "drill"  # or "gameday": the verdicts are then those of its drills
    not_asked: tuple[str, ...] = ()  # objectives that the run's profile left out


def parse_plan(data: bytes) -> PlanFile:
    """Plan of a bundle, from its bytes."""
    plan = parse_canonical_object(data, PLAN)
    kind = "gameday" if plan.get("format") == GAMEDAY_PLAN_FORMAT else "drill"
    return PlanFile(
        run=_text(plan, "run", PLAN),
        created_at=_text(plan, "created_at", PLAN),
        drill=_text(_object(plan, kind, PLAN), kind, f"{PLAN}: {kind}"),
        environment=_text(
            _object(plan, "environment", PLAN), "environment", f"{PLAN}: environment"
        ),
        sha256=sha256_hex(data),
        kind=kind,
    )


def parse_run(data: bytes) -> RunFile:
    """Run record of a bundle, from its bytes."""
    record = parse_canonical_object(data, RUN)
    expected = {"format", "run", "sealed_at", "plan_sha256", "environment_record", "judgement"}
    if set(record) != expected:
        raise MalformedError(f"{RUN}: expected the fields {sorted(expected)}, got {sorted(record)}")
    if record["format"] not in (RUN_FORMAT, GAMEDAY_RUN_FORMAT):
        raise MalformedError(f"{RUN}: expected format {RUN_FORMAT!r}, got {record['format']!r}")
    kind = "gameday" if record["format"] == GAMEDAY_RUN_FORMAT else "drill"
    judgement = _object(record, "judgement", RUN)
    where = f"{RUN}: judgement"
    objectives = _verdicts(judgement, "objectives" if kind == "drill" else "drills", where)
    if kind == "gameday" and "objectives" in judgement:  # of the day itself
        objectives += _verdicts(judgement, "objectives", where)
    if len({name for name, _ in objectives}) != len(objectives):
        raise MalformedError(f"{where}.objectives: a name stands twice")
    _object(record, "environment_record", RUN)
    return RunFile(
        run=_text(record, "run", RUN),
        sealed_at=_text(record, "sealed_at", RUN),
        plan_sha256=_text(record, "plan_sha256", RUN),
        outcome=_text(judgement, "outcome", where),
        verdicts=dict(objectives),
        checks=tuple(_verdicts(judgement, "checks", where)) if kind == "drill" else (),
        judgement=judgement,
        kind=kind,
        not_asked=_not_asked(judgement, where),
    )


def plan_statement(plan: PlanFile) -> bytes:
    """Claim made before the first step: this is what will be done, against these limits."""
    predicate: dict[str, Any] = {
        "run": plan.run,
        "createdAt": plan.created_at,
        plan.kind: plan.drill,
        "environment": plan.environment,
    }
    return _statement(DRILL_PLAN, [(PLAN, plan.sha256)], predicate)


def run_statement(identity: str, digests: Mapping[str, str], plan: PlanFile, run: RunFile) -> bytes:
    """Claim made at the end: this is what happened, and these are the files that show it."""
    predicate: dict[str, Any] = {
        "run": run.run,
        plan.kind: plan.drill,
        "environment": plan.environment,
        "outcome": run.outcome,
        "verdicts": dict(run.verdicts),
        "plan": {"sha256": plan.sha256},
        "createdAt": plan.created_at,
        "sealedAt": run.sealed_at,
    }
    if run.kind == "gameday":
        predicate |= {"members": _members(run.judgement)}
    if run.not_asked:
        predicate |= {"notAsked": list(run.not_asked)}
    return _statement(DRILL_RUN, _subjects(identity, digests), predicate)


def test_result_statement(
    identity: str, digests: Mapping[str, str], plan: PlanFile, run: RunFile
) -> bytes:
    """The same outcome in the words of the standard test-result predicate.

    PASSED only for a run that passed; everything else is FAILED, because a gate may read WARNED
    as good enough. What could not be told stands under warnedTests.
    """
    what = "objective" if run.kind == "drill" else "drill"
    results = [(f"{what}:{name}", verdict) for name, verdict in run.verdicts.items()]
    results += [(f"check:{name}", verdict) for name, verdict in run.checks]
    predicate: dict[str, Any] = {
        "result": "PASSED" if run.outcome == "passed" else "FAILED",
        "configuration": [{"name": PLAN, "digest": {"sha256": plan.sha256}}],
        "passedTests": [name for name, verdict in results if verdict == "met"],
        "warnedTests": [name for name, verdict in results if verdict == "inconclusive"],
        "failedTests": [name for name, verdict in results if verdict == "missed"],
    }
    return _statement(TEST_RESULT, _subjects(identity, digests), predicate)


def _members(judgement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The drills of a game day by run, each with the digest that names its bundle."""
    return [
        {"run": drill.get("run"), "digest": {"sha256": drill["identity"]}}
        for drill in judgement["drills"]
        if drill.get("identity")
    ]


def _subjects(identity: str, digests: Mapping[str, str]) -> list[tuple[str, str]]:
    """The tag manifest, then every file; only the tag manifest when they are too many."""
    files = sorted(digests.items()) if len(digests) < MAX_SUBJECTS else []
    return [(TAG_MANIFEST, identity), *files]


def _statement(
    predicate_type: str, subjects: Iterable[tuple[str, str]], predicate: Mapping[str, Any]
) -> bytes:
    return canonical_bytes(
        {
            "_type": STATEMENT,
            "subject": [{"name": name, "digest": {"sha256": sum_}} for name, sum_ in subjects],
            "predicateType": predicate_type,
            "predicate": dict(predicate),
        }
    )


def _object(value: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = value.get(key)
    if not isinstance(found, dict):
        raise MalformedError(f"{where}: {key}: expected an object, got {type(found).__name__}")
    return found


def _text(value: Mapping[str, Any], key: str, where: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise MalformedError(f"{where}: {key}: expected text, got {type(found).__name__}")
    return found


def _not_asked(judgement: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Names of the objectives that were not asked; none in a bundle older than the word."""
    found = judgement.get("not_asked", [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise MalformedError(f"{where}.not_asked: expected a list of objectives")
    return tuple(_text(entry, "name", f"{where}.not_asked") for entry in found)


def _verdicts(judgement: Mapping[str, Any], key: str, where: str) -> list[tuple[str, str]]:
    """Name and verdict of each entry of a list of results."""
    found = judgement.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise MalformedError(f"{where}.{key}: expected a list of results")
    pairs = [
        (_text(entry, "name", f"{where}.{key}"), _text(entry, "verdict", f"{where}.{key}"))
        for entry in found
    ]
    for name, verdict in pairs:
        if verdict not in ("met", "inconclusive", "missed"):
            raise MalformedError(f"{where}.{key}: {name!r}: {verdict!r} is not a verdict")
    return pairs
