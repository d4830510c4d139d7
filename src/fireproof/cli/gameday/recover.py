"""A game day whose process is dead: its drills brought to their end first, then sealed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from fireproof.cli.gameday.conduct import how_it_ended
from fireproof.cli.gameday.record import GameDayRecord, result_of_sealed
from fireproof.engine.recover import LOCK_WAIT_S, Alive, NotBegun
from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter
from fireproof.model.gameday import GameDayPlan
from fireproof.model.ports import Signer

MEMBER_WAIT_S = 30.0  # a drill whose game day died is coming down: it undoes and seals

RecoverRun = Callable[[RunFolder], int]
"""Undoes and seals one run; its exit code."""


def recover_gameday(
    folder: RunFolder, signer: Signer, recover_run: RecoverRun, *, why: str, by: str
) -> dict[str, Any]:
    """The result, sealed as aborted with what is known of each drill. Idempotent.

    Raises:
        NotBegun, Alive: when there is nothing to recover, or one of its drills still runs.
    """
    result = folder.read_result()
    if result is not None:
        return result
    lock = folder.wait_for_lock(LOCK_WAIT_S)
    if lock is None:
        raise Alive(f"game day {folder.run} is still running; stop it first")
    if not folder.has_begun:
        folder.discard()
        os.close(lock)
        raise NotBegun(f"game day {folder.run} ended before it began; nothing was touched")
    if folder.sealed is not None:
        os.close(lock)
        return result_of_sealed(folder, folder.sealed)
    journal = JournalWriter.take_over(folder.journal, ballast=folder.ballast)
    plan = GameDayPlan.model_validate_json((folder.bag / "plan.json").read_bytes())
    record = GameDayRecord(plan, folder, journal, signer, lock)
    try:
        if journal.records[-1].kind != "residue":
            _finish(record, journal, recover_run, why, by)
        return record.end()
    finally:
        record.close()


def _finish(
    record: GameDayRecord, journal: JournalWriter, recover_run: RecoverRun, why: str, by: str
) -> None:
    kinds = {r.kind for r in journal.records}
    if "abort" not in kinds:  # also when every drill had ended: nobody was there to say so
        record.note("abort", why=why, by=by, phase="drills", signal=None)
    told = {r.data["member"]: r.kind for r in journal.records if "member" in r.data}
    begun = {r.data["member"]: r.mono_ns for r in journal.records if r.kind == "drill-start"}
    for member in record.plan.members:
        if member.name not in told:
            record.note("drill-not-run", member=member.name, why="the game day was aborted")
        elif told[member.name] == "drill-start":
            run = RunFolder(record.folder.evidence / "runs" / member.run)
            data = _bring_down(run, recover_run)
            if data is None:
                text = "its game day died before its process began anything"
                record.note("drill-not-run", member=member.name, why=text)
                continue
            record.note(
                "drill-end",
                member=member.name,
                run=member.run,
                before_ns=begun[member.name],
                after_ns=None,  # nobody saw when
                **data,
            )


def _bring_down(run: RunFolder, recover_run: RecoverRun) -> dict[str, Any] | None:
    """How a drill ended that nobody waited for; None when it never began."""
    if run.read_result() is None and run.root.exists():
        lock = run.wait_for_lock(MEMBER_WAIT_S)
        if lock is None:
            raise Alive(f"drill {run.run} of the game day is still running; stop it first")
        os.close(lock)
    result = run.read_result()
    if result is None and not (run.root.exists() and run.has_begun):
        return None
    code = int(result["exit_code"]) if result is not None else recover_run(run)
    return how_it_ended(run, code)
