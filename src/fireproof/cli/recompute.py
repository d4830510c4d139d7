"""Judges a bag from its own files: the same for the runner that seals and the auditor who checks.

Loads no runner: plan, journal, samples and the judge are all it takes.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fireproof.errors import EvidenceError
from fireproof.evidence import canonical_bytes
from fireproof.journal import read_journal
from fireproof.judge import judge_gameday, judge_run
from fireproof.model.drill import Drill
from fireproof.model.gameday import GAMEDAY_PLAN_FORMAT, GameDayPlan
from fireproof.model.gameday_judgement import GameDayJudgement
from fireproof.model.judgement import Judgement
from fireproof.model.load import Growth
from fireproof.model.plan import Plan
from fireproof.model.record import Record

if TYPE_CHECKING:
    from fireproof.evidence import VerificationReport
    from fireproof.evidence.keys import TrustedKeys


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
    names |= {name for r in records if r.kind == "load-stop" for name in r.data["files"]}
    folder = (bag / "data").resolve()
    paths = {name: (bag / name).resolve() for name in sorted(names)}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if path.is_relative_to(folder) and path.is_file()
    }


def recompute(bag: Path) -> bytes:
    """Canonical bytes of the judgement, as run.json must hold them.

    Raises:
        EvidenceError: when this installation cannot compute all of it.
    """
    if is_gameday(bag):
        return canonical_bytes(judge_gameday_bag(bag).to_json())
    plan = Plan.model_validate_json((bag / "plan.json").read_bytes())
    if missing := missing_packages(plan.drill):
        raise EvidenceError(f"cannot be recomputed here without {missing}")
    return canonical_bytes(judge_bag(bag).to_json())


def bundle_check(
    trusted: TrustedKeys, approvers: TrustedKeys
) -> Callable[[Path], VerificationReport]:
    """The check of one bundle by these keys, and by what this installation computes."""
    from fireproof.evidence import verify_bundle

    return partial(
        verify_bundle,
        keys=trusted,
        recompute=recompute,
        read_journal=read_journal,
        approvers=approvers,
    )


def missing_packages(drill: Drill) -> str:
    """What the judge of a drill under load needs and does not have, with the cure; or nothing."""
    needed = ["numpy", "pyarrow"] if drill.load else []
    needed += ["scipy"] if any(isinstance(o, Growth) for o in drill.objectives.values()) else []
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"{', '.join(missing)}: pip install 'fireproof[samples]'" if missing else ""
