"""Shipped drills killed on a real lab, at random instants and at named points.

``make test-crash-drills`` runs all of DRILLS; FIREPROOF_CRASH_SHARD=i/n every n-th. FIREPROOF_SEED
draws others. Each drill is a copy of the shipped one with a baseline and a hold of one second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.drilled_lab import DrilledLab
from support.killing import NAMED, Kill, named_kills, random_kills, shard
from support.legal import ended_by_itself, phase_at, stays_recovered, undone_after_s, why_not_legal
from support.residue import left_behind

pytestmark = [pytest.mark.component, pytest.mark.crash, pytest.mark.full]


@dataclass(frozen=True)
class Drilled:
    """A shipped drill, how often it is killed at random, and where it is killed by name."""

    name: str
    at_random: int
    points: tuple[str, ...]


DRILLS = (
    Drilled(
        "backup-restore",
        120,
        (*NAMED, "move:before", "move:after", "move#2:before", "canary-read:after"),
    ),
)
SEED = os.environ.get("FIREPROOF_SEED", "1")


def chosen() -> list[Kill]:
    everything: list[Kill] = []
    for drilled in DRILLS:
        everything += named_kills(drilled.name, drilled.points, SEED)
        everything += random_kills(drilled.name, drilled.at_random, SEED)
    return shard(everything, os.environ.get("FIREPROOF_CRASH_SHARD", ""))


@dataclass
class Ground:
    """The lab, and how long each drill takes on it; built anew after a kill that left something."""

    folder: Path
    lab: DrilledLab | None = None
    lengths: dict[str, float] = field(default_factory=dict)
    built: int = 0

    def ready(self, name: str) -> tuple[DrilledLab, float]:
        if self.lab is None:
            self.built += 1
            self.lab = DrilledLab(self.folder / str(self.built))
        lab = self.lab
        lab.up()  # archives again after a run that stayed on a restored copy
        drill = lab.drill(name)
        for objective in drill["objectives"].values():
            if "rto" in objective:
                objective["hold"] = "1s"
        drill["drill"] = "killed"
        lab.put("killed", drill)
        if name not in self.lengths:
            self.lengths[name] = lab.measure("killed")
            lab.up()
        lab.forget()
        return lab, self.lengths[name]

    def shorten(self, name: str, took_s: float) -> None:
        """A measurement on a busy machine would put kills behind the end of a run."""
        self.lengths[name] = min(self.lengths[name], took_s)

    def down(self) -> list[str]:
        lab, self.lab = self.lab, None
        return lab.down() if lab else []


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    found = Ground(tmp_path_factory.mktemp("killed"))
    yield found
    assert found.down() == []


@pytest.mark.parametrize("kill", chosen(), ids=str)
def test_a_drill_killed(kill: Kill, ground: Ground, facts: dict[str, Any]) -> None:
    """Whoever finds the service broken, or a run without its record, was told it cannot happen."""
    lab, length_s = ground.ready(kill.drill)
    facts |= {"drill": kill.drill, "who": kill.who, "signal": kill.signal}
    facts |= {"at": kill.at, "named": kill.share is None}
    around = lab.surroundings()
    before = lab.component("ledger-db")["data-directory"]
    try:
        killed = lab.kill("killed", kill, length_s)
        if killed.struck_ns is None:  # it was faster than the one that was measured
            ground.shorten(kill.drill, killed.took_s)
        results = list(lab.evidence.glob("runs/*/result.json"))
        begun = [p for p in lab.evidence.glob("runs/*/bag/data/journal.jsonl") if p.stat().st_size]
        if not kill.kills_both:  # somebody was there to bring it to its end
            assert not begun, f"left unfinished: {killed.said}"
        for folder in lab.evidence.glob("runs/*"):  # so that the sweeper takes it for abandoned
            os.utime(folder, (time.time() - 3600,) * 2)
        swept = lab.call("recover")
        said = killed.said + swept.stdout + swept.stderr
        if not results:
            results = list(lab.evidence.glob("runs/*/result.json"))
        bundles = list(lab.evidence.glob("bundles/*/*/*"))

        assert (len(results), len(bundles)) in ((1, 1), (0, 0)), said
        if not results:
            facts |= {"phase": "start", "outcome": "never began", "struck": True}
            run, stays = "none", False
            assert kill.at == "open:before" or (kill.share or 1) < 0.2, said
            assert killed.code in (-kill.number, 128 + kill.number, -9, 137), said
        else:
            result = json.loads(results[0].read_text())
            journal = (bundles[0] / "data" / "journal.jsonl").read_text().splitlines()
            records = [json.loads(line) for line in journal]
            run, stays = result["run"], stays_recovered(records)
            facts |= {
                "phase": phase_at(records, killed.struck_ns),
                "outcome": result["judgement"]["outcome"],
                "code": result["exit_code"],
                "struck": killed.struck_ns is not None
                and not ended_by_itself(kill, records, killed.struck_ns),
                "undone_after_s": undone_after_s(records, killed.struck_ns),
            }
            wrong = why_not_legal(
                kill,
                struck_ns=killed.struck_ns,
                own_code=killed.code,
                result=result,
                records=records,
            )
            assert wrong == [], said
            assert lab.verify(bundles[0]) == 0
        assert lab.serves() == [], said
        database = lab.lab.folder.database
        now = lab.component("ledger-db")["data-directory"]
        assert now == (str(database / f"restored-{run}") if stays else before), said
        # Complete copies stay: one that served may hold writes that clients were promised.
        may_stay = [str(database / f"restored-{run}")]
        may_stay += [f"{before}.aside-{run}"] if stays else []
        assert left_behind(run, around, may_stay=may_stay) == [], said
    except BaseException:
        facts["left by the lab"] = ground.down()
        raise
