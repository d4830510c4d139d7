"""Bundles that a game day's bundle refers to: each there, itself, whole, and saying the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireproof.errors import FireproofError, MalformedError
from fireproof.evidence.canonical import MAX_BYTES
from fireproof.evidence.layout import JOURNAL, PLAN, RUN
from fireproof.evidence.statement import parse_plan, parse_run
from fireproof.evidence.tree import read_small
from fireproof.evidence.verify import ReadJournal, StepReport, VerificationReport
from fireproof.model.record import Record
from fireproof.model.verdict import heaviest_exit


@dataclass(frozen=True, slots=True)
class MembersReport:
    """What was found of each drill, and the step that says so."""

    step: StepReport
    bundles: tuple[VerificationReport, ...]


def bundle_beside(gameday: Path, run: str) -> Path | None:
    """The bundle of a run near that of its game day: in the same folder, or the same store."""
    near = gameday.resolve().parent
    if "/" in run or run in ("", ".", ".."):
        return None
    places = [near / run, *near.parent.parent.glob(f"*/*/{run}")]
    return next((place for place in places if (place / RUN).is_file()), None)


def verify_members(
    gameday: Path, verify: Callable[[Path], VerificationReport], read_journal: ReadJournal
) -> MembersReport:
    """Look at every bundle that a game day names, and compare it with what the day says of it.

    The day's outcome follows from these codes: when each is that of a verified bundle, so is it.

    Args:
        gameday: the game day's bundle; it has been verified itself.
        verify: checks one bundle, recomputation included.
        read_journal: as for ``verify_bundle``.
    """
    problems: list[str] = []
    reports: list[VerificationReport] = []
    named = 0
    try:
        drills = parse_run(read_small(gameday / RUN, MAX_BYTES)).judgement["drills"]
        records = read_journal(gameday / JOURNAL)
        for drill in drills:
            if drill.get("identity") is None:
                continue
            named += 1
            report, wrong = _look(gameday, drill, records, verify, read_journal)
            problems += [f"{drill['name']}: {text}" for text in wrong]
            reports += [report] if report else []
    except (FireproofError, OSError, KeyError, TypeError, AttributeError) as error:
        problems.append(f"the drills could not be looked at: {type(error).__name__}: {error}")
    count = "1 bundle" if named == 1 else f"{named} bundles"
    detail = f"{count} beside this one verified, with the outcomes that the day states"
    if not named:
        detail = "the game day names no bundle"
    if problems:
        detail = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return MembersReport(
        StepReport("drills", not problems, detail, tuple(problems)), tuple(reports)
    )


def _look(
    gameday: Path,
    drill: dict[str, Any],
    records: Sequence[Record],
    verify: Callable[[Path], VerificationReport],
    read_journal: ReadJournal,
) -> tuple[VerificationReport | None, list[str]]:
    place = bundle_beside(gameday, str(drill["run"]))
    if place is None:
        return None, [f"its bundle {drill['run']} is not beside this one"]
    report = verify(place)
    if not report.ok:
        return report, [f"its bundle does not hold: {report.problems[0]}"]
    wrong = []
    if report.identity != drill["identity"]:
        wrong.append(
            f"its bundle is another one: expected {drill['identity']}, got {report.identity}"
        )
    if report.outcome != drill["outcome"]:
        wrong.append(f"its bundle says {report.outcome!r}, the game day {drill['outcome']!r}")
    plan = parse_plan(read_small(place / PLAN, MAX_BYTES))
    if (plan.kind, plan.drill) != ("drill", drill["drill"]):
        wrong.append(f"its bundle is of {plan.kind} {plan.drill!r}, not of {drill['drill']!r}")
    code = parse_run(read_small(place / RUN, MAX_BYTES)).judgement["exit_code"]
    if heaviest_exit([code, drill["exit_code"]]) != drill["exit_code"]:
        wrong.append(f"its bundle has code {code}, the game day {drill['exit_code']}")
    wrong += _outside(drill["name"], records, read_journal(place / JOURNAL))
    return report, wrong


def _outside(name: str, day: Sequence[Record], drill: Sequence[Record]) -> list[str]:
    """Both have one clock, CLOCK_MONOTONIC of one boot: a drill lies between its two records."""
    if not day or not drill:
        raise MalformedError("a journal holds no record")
    if day[0].data.get("boot_id") != drill[0].data.get("boot_id"):
        return ["it ran on another boot of the machine than the game day"]
    begun = [r.mono_ns for r in day if r.kind == "drill-start" and r.data["member"] == name]
    ended = [r.data["after_ns"] for r in day if r.kind == "drill-end" and r.data["member"] == name]
    early = not begun or drill[0].mono_ns < begun[0]
    late = bool(ended) and isinstance(ended[0], int) and drill[-1].mono_ns > ended[0]
    return ["it does not lie between the game day's records of it"] if early or late else []
