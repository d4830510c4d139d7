"""Brings a run to its end whose runner is dead: undo what stands, then judge and seal."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from fireproof.clock import clock_pair, monotonic_ns
from fireproof.engine.cleanup import Cleanup
from fireproof.engine.finish import describe, discard_bag, finish
from fireproof.engine.observation import load1
from fireproof.engine.revert import UNDO_TIMEOUT_NS
from fireproof.engine.services import Services
from fireproof.errors import FireproofError, MalformedError, UndoError
from fireproof.guard.folder import RunFolder
from fireproof.guard.lease import Lease
from fireproof.guard.order import read_order
from fireproof.journal import JournalWriter, read_journal
from fireproof.model.plan import Plan
from fireproof.model.verdict import ExitCode
from fireproof.processes import become_subreaper

LOCK_WAIT_S = 10.0
LEASE_WAIT_S = 60.0  # the undo of another run on the same component


class NotBegun(FireproofError):
    """The run ended before its first record: nothing was touched, nothing is left."""


class Alive(FireproofError):
    """The run's owner still lives; there is nothing to recover."""


def recover(folder: RunFolder, services: Services, *, why: str, by: str) -> dict[str, Any]:
    """Undo, judge, seal; the result. Idempotent: a finished run returns its result again.

    A run that ended dirty is tried again: its faults, not its record, which stays as it is.

    Raises:
        NotBegun, Alive: when there was nothing to undo.
        UndoError: when it cannot be told what stands, or it could not be taken back.
    """
    become_subreaper()
    result = folder.read_result()
    if result is not None:
        return _retry(folder, result, services)
    lock = folder.wait_for_lock(LOCK_WAIT_S)
    if lock is None:
        raise Alive(f"run {folder.run} is still running; stop it first")
    try:
        if not folder.has_begun:
            folder.discard()
            raise NotBegun(f"run {folder.run} ended before it began; nothing was touched")
        return _recover(folder, services, why, by)
    finally:
        os.close(lock)


def _recover(folder: RunFolder, services: Services, why: str, by: str) -> dict[str, Any]:
    if folder.sealed is not None:  # killed between the rename of the bundle and the result
        return _result_of(folder, folder.sealed, services)
    plan, digest = _load_plan(folder.bag)
    journal = JournalWriter.take_over(folder.journal, ballast=folder.ballast)
    try:
        cleanup = Cleanup(folder, plan, journal, services)
        if not journal.records:
            raise MalformedError(f"{folder.journal}: not one whole record; nothing was done")
        if journal.records[-1].kind != "residue":
            # The components are ours until nothing is left in them.
            lease = Lease()
            held_by = f"recovery of {plan.run}"
            where = plan.environment.identity, plan.drill.components
            lease.wait(*where, held_by, LEASE_WAIT_S, run=str(folder.root))
            if (given_up := read_order(folder.abandoned)) is not None:
                why = f"{why}, after it was given up {given_up}"
            _undo(journal, cleanup, why, by)
            if not quarantine_if_dirty(lease, plan, folder, journal):
                lease.lift(*where, str(folder.root))  # of a run that somebody had abandoned
                folder.abandoned.unlink(missing_ok=True)
            lease.release()
    finally:
        journal.close()
    return finish(folder, plan, digest, services, cleanup)


def quarantine_if_dirty(
    lease: Lease, plan: Plan, folder: RunFolder, journal: JournalWriter
) -> bool:
    """Keep everybody off components in which a fault may still stand; whether that was needed."""
    last = journal.records[-1]
    dirty = last.kind != "residue" or last.data["clean"] is not True
    if dirty:
        lease.quarantine(plan.environment.identity, plan.drill.components, str(folder.root))
    return dirty


def is_quarantined(folder: RunFolder) -> bool:
    """Whether a finished run still keeps others off its components."""
    result = folder.read_result()
    if result is None or result["exit_code"] != ExitCode.DIRTY or not result["bundle"]:
        return False
    plan, _ = _load_plan(Path(result["bundle"]))
    lease = Lease()
    marks = [
        lease.quarantined_by(plan.environment.identity, component)
        for component in plan.drill.components
    ]
    return str(folder.root) in marks


def _retry(folder: RunFolder, result: dict[str, Any], services: Services) -> dict[str, Any]:
    """Take back what an ``aborted-dirty`` run left; its sealed record stays as it is."""
    if not is_quarantined(folder):
        return result
    bundle = Path(result["bundle"])
    plan, _ = _load_plan(bundle)
    identity, components = plan.environment.identity, plan.drill.components
    lease = Lease()
    lease.wait(identity, components, str(folder.root), LEASE_WAIT_S)
    try:
        intents = [r.data for r in read_journal(bundle / "data" / "journal.jsonl")]
        for data in reversed([data for data in intents if "undo" in data]):
            fault = services.faults[data["kind"]]
            deadline_ns = monotonic_ns() + UNDO_TIMEOUT_NS
            fault.undo(data["undo"], recovered=False, deadline_ns=deadline_ns)
            left = fault.present(data["undo"], recovered=False)
            if left is not None:
                raise UndoError(f"{data['label']}: {left}; by hand: {fault.by_hand(data['undo'])}")
        lease.lift(identity, components, str(folder.root))
    finally:
        lease.release()
    return result | {
        "exit_code": int(ExitCode.ABORTED),
        "remarks": ["undone now; not in quarantine"],
    }


def _result_of(folder: RunFolder, sealed: Path, services: Services) -> dict[str, Any]:
    plan, _ = _load_plan(sealed)
    identity = hashlib.sha256((sealed / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    result = describe(folder, plan, services.judge_bag(sealed))
    result |= {"bundle": str(sealed), "identity": identity}
    discard_bag(folder)
    folder.write_result(result)
    return result


def _load_plan(bag: Path) -> tuple[Plan, str]:
    try:
        plan_bytes = (bag / "plan.json").read_bytes()
        return Plan.model_validate_json(plan_bytes), hashlib.sha256(plan_bytes).hexdigest()
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise MalformedError(f"{bag / 'plan.json'}: cannot be read: {first}") from error


def _undo(journal: JournalWriter, cleanup: Cleanup, why: str, by: str) -> None:
    kinds = [record.kind for record in journal.records]
    phases = [r.data["phase"] for r in journal.records if r.kind == "phase"]
    # After a verified recovery the undo of what recovery replaced is a no-op, also for us.
    on_the_way_down = bool({"refuse", "revert"} & set(phases))
    recovered = on_the_way_down and "abort" not in kinds and _was_recovered(journal)
    if "abort" not in kinds:  # also when only the way down was left: the outcome is aborted
        cleanup.abort(why, by, phases[-1] if phases else "open", None)
    cleanup.end_strays(set())  # what the dead runner started may not act beside the undo
    cleanup.note("phase", phase="revert", clocks=clock_pair(), load1=load1())
    cleanup.revert(recovered=recovered)
    cleanup.residue(recovered=recovered, spare=set())


def _was_recovered(journal: JournalWriter) -> bool:
    steps = [r.data["ok"] for r in journal.records if r.kind == "step-end"]
    checks = [
        r.data["ok"]
        for r in journal.records
        if r.kind == "check" and r.data["phase"] != "revert"  # the runner's own, of the way down
    ]
    said = [r.data["ok"] for r in journal.records if r.kind == "recovered"]
    return bool(said) and all(ok is True for ok in steps + checks + said)
