"""Conducts a game day: group after group, until its end, a stop of the line, or a signal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fireproof.cli.gameday.members import Beside, Ended
from fireproof.cli.gameday.record import GameDayRecord
from fireproof.cli.settings import RunSettings
from fireproof.drillfile import LoadedMember
from fireproof.guard.folder import RunFolder
from fireproof.guard.order import why_blocked
from fireproof.model.gameday import GameDayPlan, Member
from fireproof.model.verdict import ExitCode, Outcome

_BY_CODE: dict[int, str] = {
    ExitCode.OK: Outcome.PASSED.value,
    ExitCode.MISSED: Outcome.FAILED.value,
    ExitCode.INCONCLUSIVE: Outcome.INCONCLUSIVE.value,
    ExitCode.DIRTY: Outcome.ABORTED_DIRTY.value,
}


class Stoppable(Protocol):
    """Remembers a signal, and passes it on to the ``child`` that runs."""

    signum: int | None
    child: Any


SettingsOf = Callable[[Member], RunSettings]
Prepare = Callable[[Sequence[Member]], str]
"""Makes the place ready for a group; empty, or why it is not."""


class Conductor:
    """Runs the drills of a plan and writes down how each ended."""

    def __init__(
        self,
        record: GameDayRecord,
        settings: SettingsOf,
        stops: Stoppable,
        prepare: Prepare = lambda group: "",
    ) -> None:
        self._record, self._settings, self._stops = record, settings, stops
        self._prepare = prepare
        self._plan = record.plan
        self._stopped_by = ""

    def conduct(self) -> None:
        """Every group in turn; drills that are left out are recorded with the reason.

        Raises:
            JournalError: when that cannot be written; what runs then has been stopped and undone.
        """
        for group in _groups(self._plan):
            if not self._stopped_by and (blocked := why_blocked()) is not None:
                # stop --all came while a drill was running: that ends the day, not only the drill.
                self._stopped_by = blocked
                self._note_abort(blocked, "operator", None)
            why = self._stopped_by
            if not why and self._stops.signum is None:
                why = self._prepare(group)
            if not why and self._stops.signum is None:
                self._run(group)
                continue
            why = why or f"the game day was stopped by signal {self._stops.signum}"
            for member in group:
                self._record.note("drill-not-run", member=member.name, why=why)
        if self._stops.signum is not None:
            number = self._stops.signum
            self._note_abort(f"stopped by signal {number}", "signal", number)

    def _note_abort(self, why: str, by: str, signum: int | None) -> None:
        self._record.note("abort", why=why, by=by, phase="drills", signal=signum)

    def _run(self, group: Sequence[Member]) -> None:
        runs = {member.name: member.run for member in group}
        for member in group:
            self._record.note("drill-start", member=member.name, run=member.run)
        beside = Beside()
        self._stops.child = beside
        try:
            for member in group:
                beside.start(member.name, self._settings(member), apart=len(group) > 1)
            if self._stops.signum is not None:  # it came while they were being started
                beside.send_signal(self._stops.signum)
            beside.wait(lambda ended: self._ended(ended, runs[ended.name]))
        except BaseException:
            beside.end()
            raise
        finally:
            self._stops.child = None

    def _ended(self, ended: Ended, run: str) -> None:
        data = how_it_ended(RunFolder(self._record.folder.evidence / "runs" / run), ended.code)
        self._record.note(
            "drill-end",
            member=ended.name,
            run=run,
            before_ns=ended.before_ns,
            after_ns=ended.after_ns,
            **data,
        )
        outcome = data["outcome"] or _BY_CODE.get(data["code"], "")
        if data["code"] == ExitCode.DIRTY:
            self._stopped_by = f"{ended.name} left a fault behind"
        elif outcome in self._plan.gameday.stop and not self._stopped_by:
            self._stopped_by = f"{ended.name} {outcome}, which stops the line"


def how_it_ended(folder: RunFolder, code: int) -> dict[str, Any]:
    """Code, outcome and bundle of a drill whose process is gone; ``why`` there is no bundle."""
    result = folder.read_result()
    if result is None or result["bundle"] is None:
        why = f"exit code {code}; there is no sealed bundle"
        return {"code": code, "outcome": None, "identity": None, "why": why}
    outcome = result["judgement"]["outcome"]
    return {"code": code, "outcome": outcome, "identity": result["identity"], "why": ""}


def settings_of(members: Sequence[LoadedMember], base: RunSettings) -> SettingsOf:
    """How each drill of the plan is called."""
    by_name = {member.name: member for member in members}

    def made(member: Member) -> RunSettings:
        return RunSettings(
            by_name[member.name].file,
            base.environment,
            base.evidence,
            base.output,
            confirm=tuple(name for name in base.confirm if name in member.components),
            typed=base.typed,
            profile=member.profile,
            params=tuple(f"{name}={value}" for name, value in member.params.items()),
            run_id=member.run,
            parent=os.getpid(),
            workers=base.workers if by_name[member.name].loaded.drill.load else None,
        )

    return made


def _groups(plan: GameDayPlan) -> list[list[Member]]:
    found: dict[int, list[Member]] = {}
    for member in plan.members:
        found.setdefault(member.group, []).append(member)
    return [found[number] for number in sorted(found)]
