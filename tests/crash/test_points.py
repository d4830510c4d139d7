"""Killed at any record, by any signal: every fault undone, one sealed outcome, nothing left.

``make test-crash`` runs them all; ``make test`` a sample that changes with the day, named in the
test's id so that it can be run again.
"""

from __future__ import annotations

import datetime
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from support.killing import grow_old, shard
from support.residue import left_behind
from support.scenario import Scenario

HARNESS = Path(__file__).parents[1] / "support" / "kill_at"
RECORDS = 21  # of the drill below, from open to residue; a test counts them
SIGNALS = ("TERM", "INT", "HUP", "KILL", "SEGV", "STOP")
TARGETS = ("run", "guardian", "both")

POINTS = [
    f"{who}:{number}:{moment}:{name}"
    for number in range(1, RECORDS + 1)
    for moment in ("before", "after")
    for name in SIGNALS
    for who in TARGETS
    # Nobody is left to notice that both were stopped: that is for whoever runs them.
    if not (name == "STOP" and who != "run")
]
POINTS += [f"{who}:0:{when}:KILL" for who in TARGETS for when in ("seal", "sealed")]
DOUBLES = [
    f"{who}:9:after:KILL,recover:{number}:{moment}:KILL"
    for who in ("run", "both")
    for number in range(1, 6)
    for moment in ("before", "after")
]
SAMPLE = 8


def chosen() -> list[str]:
    """All of them, or a sample seeded by the day (or by FIREPROOF_SEED)."""
    everything = POINTS + DOUBLES
    if os.environ.get("FIREPROOF_CRASH") == "all":
        return shard(everything, os.environ.get("FIREPROOF_CRASH_SHARD", ""))
    seed = (
        os.environ.get("FIREPROOF_SEED") or datetime.datetime.now(datetime.UTC).date().isoformat()
    )
    return sorted(random.Random(seed).sample(everything, SAMPLE))  # noqa: S311 - not a secret


pytestmark = [pytest.mark.component, pytest.mark.crash]


@pytest.mark.parametrize("point", chosen())
def test_killed_at(scenario: Scenario, point: str, facts: dict[str, Any]) -> None:
    """Nobody may find the service broken, or a run without its record, after one `recover`."""
    victim, _, _, name = point.split(",")[-1].split(":")
    facts |= {"drill": "a sub-second drill", "who": victim, "signal": name, "at": point}
    facts["named"] = True
    around = scenario.surroundings()
    drill = scenario.drill() | {"baseline": {"for": "200ms"}}
    child = scenario.start(drill, {"PYTHONPATH": str(HARNESS), "FIREPROOF_KILL_AT": point})
    first = scenario.wait(child)
    scenario.let_the_runner_end()

    grow_old(scenario.evidence)
    after = scenario.wait(scenario.call(["recover"]))

    assert scenario.answers(), first.stderr + after.stderr
    begun = ":1:before:" not in point or first.result is not None
    results = list(scenario.evidence.glob("runs/*/result.json"))
    bundles = list(scenario.evidence.glob("bundles/*/*/*"))
    if begun and len(results) + len(bundles):
        assert (len(results), len(bundles)) == (1, 1), first.stderr + after.stderr
        result = scenario.last_result()
        assert result is not None
        judged = result["judgement"]
        # In three tenths of a second one late question is more than one in a hundred: said truly.
        late = judged["outcome"] == "inconclusive" and "the prober was late" in judged["reason"]
        assert judged["outcome"] in ("passed", "aborted") or late, after.stderr
        assert scenario.verify(bundles[0]) == 0
        journal = (bundles[0] / "data" / "journal.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in journal]
        facts |= {
            "phase": phase_of(records, point.split(",")[-1]),
            "outcome": result["judgement"]["outcome"],
            "code": result["exit_code"],
        }
        assert left_behind(result["run"], around) == []
    else:  # it never got to its first record: nothing was touched, nothing is left
        facts |= {"phase": "start", "outcome": "never began"}
        assert ":1:before:" in point or ":1:after:" in point, first.stderr + after.stderr
        assert not [path for path in scenario.evidence.glob("runs/*") if (path / "bag").exists()]


def phase_of(records: list[dict[str, Any]], point: str) -> str:
    """Of the sealed journal, the phase that the named record of the killed process lies in."""
    who, number, _, _ = point.split(":")
    if who == "recover":
        return "revert"
    last = int(number) or len(records)
    phases = [r["data"]["phase"] for r in records[:last] if r["kind"] == "phase"]
    return "seal" if number == "0" else phases[-1] if phases else "open"


def test_the_points_cover_the_run(scenario: Scenario) -> None:
    """A drill that grew another record would have points that nobody ever kills at."""
    ran = scenario.run(scenario.drill() | {"baseline": {"for": "200ms"}})

    journal = (ran.bundle / "data" / "journal.jsonl").read_text().splitlines()
    assert len(journal) == RECORDS
