"""Shipped drills killed on a real lab, at random instants and at named points.

``make test-crash-drills`` runs all of DRILLS; FIREPROOF_CRASH_SHARD=i/n every n-th,
FIREPROOF_CRASH_DRILLS="failover drain" those drills alone. FIREPROOF_SEED draws others. Each drill
is a copy of the shipped one in its smoke profile, with a baseline and a hold of one second where
that has no word on them, and without its abort conditions; in a lab of the components it names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fireproof.cli.compose import vocabulary
from fireproof.cli.with_lab import named_components
from fireproof.drillfile import load_drill
from fireproof.model.params import Asked
from support.drilled import DRILLS
from support.drilled_lab import RAN_TO_ITS_END, DrilledLab
from support.killing import Kill, grow_old, named_kills, random_kills, shard
from support.lab_project import HERE
from support.legal import ended_by_itself, phase_at, stays_recovered, undone_after_s, why_not_legal
from support.residue import left_behind
from support.standing_lab import SETTLES_WITHIN_S, differences, serving_from, standing

# The first kill of a drill builds its lab and measures it, too.
pytestmark = [
    *(pytest.mark.component, pytest.mark.crash, pytest.mark.full),
    pytest.mark.timeout(900),
]


SEED = os.environ.get("FIREPROOF_SEED", "1")
ONLY = os.environ.get("FIREPROOF_CRASH_DRILLS", "").split()


def chosen() -> list[Kill]:
    everything: list[Kill] = []
    for drilled in DRILLS:
        if not ONLY or drilled.name in ONLY:
            everything += named_kills(drilled.name, drilled.points, SEED)
            everything += random_kills(drilled.name, drilled.at_random, SEED)
    mine = shard(everything, os.environ.get("FIREPROOF_CRASH_SHARD", ""))
    return sorted(mine, key=lambda kill: kill.drill)  # a lab after the other


@dataclass
class Ground:
    """The lab of one drill, and how long that takes on it; built anew for the next drill, and after
    a kill that left something.
    """

    folder: Path
    lab: DrilledLab | None = None
    drill: str = ""
    harmless: bool = False
    lengths: dict[str, float] = field(default_factory=dict)
    built: int = 0

    def ready(self, name: str) -> tuple[DrilledLab, float]:
        if self.drill != name:
            assert self.down() == []
        lab = self.lab or self._build(name)
        lab.up()  # archives again after a run that stayed on a restored copy
        if name not in self.lengths:
            before = standing(lab.lab)
            self.lengths[name] = lab.measure("killed")
            assert differences(before, lab.lab, within_s=SETTLES_WITHIN_S) == []
            lab.up()
        lab.forget()
        return lab, self.lengths[name]

    def _build(self, name: str) -> DrilledLab:
        """The components that the drill names, and the drill, shortened."""
        self.built += 1
        drilled = load_drill(HERE / "drills" / f"{name}.yaml", vocabulary(), Asked("smoke"))
        self.drill, self.harmless = name, not drilled.fault
        lab = DrilledLab(self.folder / str(self.built), named_components([drilled]))
        self.lab = lab
        lab.up()
        drill = lab.drill(name)
        for objective in drill["objectives"].values():
            if "rto" in objective and not str(objective.get("hold", "")).startswith("{"):
                objective["hold"] = "1s"
        drill.pop("abort", None)  # a busy machine is late with a write, and the kill would miss
        said = json.dumps(drill)
        params = drill.get("params", {})
        drill["params"] = {key: params[key] for key in params if f"{{param.{key}}}" in said}
        drill["drill"] = "killed"
        lab.put("killed", drill)
        return lab

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
    around, before = lab.surroundings(), serving_from(lab.lab)
    stood = standing(lab.lab)
    try:
        killed = lab.kill("killed", kill, length_s)
        if killed.struck_ns is None and killed.code in RAN_TO_ITS_END:  # faster than was measured
            ground.shorten(kill.drill, killed.took_s)
        results = list(lab.evidence.glob("runs/*/result.json"))
        begun = [p for p in lab.evidence.glob("runs/*/bag/data/journal.jsonl") if p.stat().st_size]
        if not kill.kills_both:  # somebody was there to bring it to its end
            assert not begun, f"left unfinished: {killed.said}"
        grow_old(lab.evidence)
        swept = lab.call("recover")
        said = killed.said + swept.stdout + swept.stderr
        if not results:
            results = list(lab.evidence.glob("runs/*/result.json"))
        bundles = list(lab.evidence.glob("bundles/*/*/*"))

        assert (len(results), len(bundles)) in ((1, 1), (0, 0)), said
        if not results:
            facts |= {"phase": "start", "outcome": "never began", "struck": True}
            run, stays = "none", False
            assert "PREFLIGHT" not in killed.said, said
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
                harmless=ground.harmless,
            )
            assert wrong == [], said
            assert lab.verify(bundles[0]) == 0
        now = serving_from(lab.lab)
        made = [str(path) for path in lab.lab.folder.database.glob(f"*{run[-12:]}*")]
        assert now == before or now in made, said
        # An original that is whole and in its place serves, unless a recovery was verified; or
        # clients were promised writes of a standby that had replaced it.
        if not stays and "/switched-" not in now and Path(before).exists():
            assert now == before, said
        changed = differences(stood, lab.lab, within_s=SETTLES_WITHIN_S)
        assert changed == [], "\n".join([*changed, said])
        # Complete copies stay: one that served may hold writes that clients were promised.
        may_stay = [path for path in made if Path(path).name.startswith(("restored-", "switched-"))]
        may_stay += [f"{before}.aside-{run}"] if stays else []
        assert left_behind(run, around, may_stay=may_stay) == [], said
    except BaseException:
        facts["left by the lab"] = ground.down()
        raise
