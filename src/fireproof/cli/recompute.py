"""Judges a bag from its own files: the same for the runner that seals and the auditor who checks.

Loads no runner: plan, journal, samples and the judge are all it takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fireproof.evidence import canonical_bytes
from fireproof.journal import read_journal
from fireproof.judge import judge_gameday, judge_run
from fireproof.model.gameday import GAMEDAY_PLAN_FORMAT, GameDayPlan
from fireproof.model.gameday_judgement import GameDayJudgement
from fireproof.model.judgement import Judgement
from fireproof.model.plan import Plan
from fireproof.model.record import Record


def judge_bag(bag: Path) -> Judgement:
    """The judgement over the files of a bag.

    Raises:
        MalformedError: when the journal does not hold.
        ValueError: when plan.json is not a plan.
    """
    plan = Plan.model_validate_json((bag / "plan.json").read_bytes())
    records = read_journal(bag / "data" / "journal.jsonl")
    return judge_run(plan, records, read_samples(bag, records))


def judge_gameday_bag(bag: Path) -> GameDayJudgement:
    """The judgement of a game day over the files of its bag; raises as ``judge_bag`` does."""
    plan = GameDayPlan.model_validate_json((bag / "plan.json").read_bytes())
    return judge_gameday(plan, read_journal(bag / "data" / "journal.jsonl"))


def is_gameday(bag: Path) -> bool:
    """Whether a bag's plan is that of a game day; False without a plan that can be read."""
    try:
        plan = json.loads((bag / "plan.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(plan, dict) and plan.get("format") == GAMEDAY_PLAN_FORMAT


def read_samples(bag: Path, records: Sequence[Record]) -> Mapping[str, bytes]:
    """Bytes of every sample file that the journal names; a missing one is simply not there."""
    names = {r.data["file"] for r in records if r.kind in ("probe-start", "canary-read")}
    folder = (bag / "data").resolve()
    paths = {name: (bag / name).resolve() for name in sorted(names)}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if path.is_relative_to(folder) and path.is_file()
    }


def recompute(bag: Path) -> bytes:
    """Canonical bytes of the judgement, as run.json must hold them."""
    judgement = judge_gameday_bag(bag) if is_gameday(bag) else judge_bag(bag)
    return canonical_bytes(judgement.to_json())
