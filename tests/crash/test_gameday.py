"""A game day killed at any record: its drills come down, and `recover` seals what is known.

``make test-crash`` runs them all; ``make test`` a sample that changes with the day.
"""

from __future__ import annotations

import datetime
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireproof.guard.folder import RunFolder
from fireproof.processes import marked
from support.gamedays import GameDays
from support.scenario import Scenario

HARNESS = Path(__file__).parents[1] / "support" / "kill_at"
RECORDS = 8  # of the day below: open, three drills begun and ended, residue; a test counts them
POINTS = [
    f"gameday:{number}:{moment}:{name}"
    for number in range(1, RECORDS + 1)
    for moment in ("before", "after")
    for name in ("KILL", "TERM")
]
POINTS += [f"gameday:0:{when}:KILL" for when in ("seal", "sealed")]
POINTS += [
    f"gameday:4:after:KILL,recover:{number}:{moment}:KILL"
    for number in range(1, 4)
    for moment in ("before", "after")
]
SAMPLE = 1

pytestmark = [pytest.mark.component, pytest.mark.crash]


def chosen() -> list[str]:
    """All of them, or a sample seeded by the day (or by FIREPROOF_SEED)."""
    if os.environ.get("FIREPROOF_CRASH") == "all":
        return POINTS
    seed = (
        os.environ.get("FIREPROOF_SEED") or datetime.datetime.now(datetime.UTC).date().isoformat()
    )
    return sorted(random.Random(seed).sample(POINTS, SAMPLE))  # noqa: S311 - not a secret


@pytest.fixture
def days(tmp_path: Path) -> Iterator[GameDays]:
    scenario = Scenario(tmp_path)
    yield GameDays(scenario)
    scenario.close()


DRILLS = ("looks", {"parallel": ["watches", "kills"]})


@pytest.mark.parametrize("point", chosen())
def test_a_game_day_killed_at(days: GameDays, point: str) -> None:
    """A day without its record, or a service left broken, is what the bundle promises not to be."""
    scenario = days.scenario
    environ = {"PYTHONPATH": str(HARNESS), "FIREPROOF_KILL_AT": point}
    file = days.file(*DRILLS)
    first = scenario.wait(scenario.call(["gameday", file, "-e", "desk.yaml"], environ))

    if "recover" in point:
        scenario.wait(scenario.call(["recover"], environ))
    after = scenario.wait(scenario.call(["recover"]))

    said = first.stderr + after.stderr
    assert scenario.answers(), said
    left = [RunFolder(path) for path in scenario.evidence.glob("runs/*")]
    assert not [run for run in left if run.bag.exists() and run.has_begun], said
    days_sealed = [path for path in days.bundles() if days.is_day(path)]
    if not days_sealed:
        assert ":1:" in point, said  # before its first record, or just after: nothing had begun
        assert days.bundles() == []
        return
    outcome = days.judgement()["outcome"]
    assert outcome in ("passed", "aborted"), said
    if first.code:
        # Signals are kept for the next drill or the end; only the very last records are too late.
        assert outcome == "aborted" or point.split(":")[1] in ("0", str(RECORDS)), said
    assert scenario.verify(days_sealed[0]) == 0, said
    members = {drill["run"]: drill for drill in days.judgement()["drills"]}
    for bundle in days.bundles():
        if bundle not in days_sealed:
            assert members[bundle.name]["identity"], said
    assert [pid for run in members for pid in marked(run)] == []


@pytest.mark.full
def test_the_points_cover_the_day(days: GameDays) -> None:
    """A day that grew another record would have points that nobody ever kills at."""
    ran = days.call(*DRILLS)

    assert ran.code == 0, ran.stderr
    lines = (days.bundle() / "data" / "journal.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert len(kinds) == RECORDS
    assert kinds[0] == "open"
    assert kinds[-1] == "residue"
