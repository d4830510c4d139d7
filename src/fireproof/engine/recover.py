"""Brings a run to its end whose runner is dead: undo what stands, then judge and seal."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from fireproof.clock import clock_pair
from fireproof.engine.cleanup import Cleanup
from fireproof.engine.finish import describe, discard_bag, finish
from fireproof.engine.observation import load1
from fireproof.engine.services import Services
from fireproof.errors import FireproofError, JournalError, MalformedError
from fireproof.guard.folder import RunFolder
from fireproof.guard.guardian import wait_for_lock
from fireproof.guard.lease import Lease
from fireproof.journal import JournalWriter
from fireproof.model.plan import Plan
from fireproof.processes import become_subreaper

LOCK_WAIT_S = 10.0


class Alive(FireproofError):
    """The run's owner still lives; there is nothing to recover."""


def recover(folder: RunFolder, services: Services, *, why: str, by: str) -> dict[str, Any]:
    """Undo, judge, seal; the result. Idempotent: a finished run returns its result again.

    Raises:
        Alive: while the run's owner lives.
        JournalError: when there is no journal to recover from.
    """
    become_subreaper()
    result = folder.read_result()
    if result is not None:
        return result
    lock = wait_for_lock(folder, LOCK_WAIT_S)
    if lock is None:
        raise Alive(f"run {folder.run} is still running; stop it first")
    try:
        return _recover(folder, services, why, by)
    finally:
        os.close(lock)


def _recover(folder: RunFolder, services: Services, why: str, by: str) -> dict[str, Any]:
    sealed = next(iter((folder.evidence / "bundles").glob(f"*/*/{folder.run}")), None)
    bag = sealed or folder.bag
    plan_bytes = (bag / "plan.json").read_bytes()
    plan = Plan.model_validate_json(plan_bytes)
    digest = hashlib.sha256(plan_bytes).hexdigest()
    if sealed is not None:  # killed between the rename of the bundle and the result
        identity = hashlib.sha256((sealed / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
        result = describe(folder, plan, services.judge_bag(sealed))
        result |= {"bundle": str(sealed), "identity": identity}
        discard_bag(folder)
        folder.write_result(result)
        return result
    journal = JournalWriter.take_over(folder.journal, ballast=folder.ballast)
    try:
        cleanup = Cleanup(folder, journal, services)
        if not journal.records:
            raise MalformedError(f"{folder.journal}: not one whole record; nothing was done")
        # The components stay ours until nothing is left in them.
        lease = Lease()
        lease.take(plan.environment.identity, plan.drill.components, f"recovery of {plan.run}")
        if journal.records[-1].kind != "residue":
            _undo(plan, journal, cleanup, why, by)
        lease.release()
    finally:
        journal.close()
    return finish(folder, plan, digest, services, cleanup)


def _undo(plan: Plan, journal: JournalWriter, cleanup: Cleanup, why: str, by: str) -> None:
    kinds = [record.kind for record in journal.records]
    phases = [r.data["phase"] for r in journal.records if r.kind == "phase"]
    # After a verified recovery the undo of what recovery replaced is a no-op, also for us.
    recovered = (
        bool({"refuse", "revert"} & set(phases))
        and "abort" not in kinds
        and _was_recovered(journal)
    )
    if "abort" not in kinds:  # also when only the way down was left: the outcome is aborted
        phase = phases[-1] if phases else "open"
        cleanup.note("abort", why=why, by=by, phase=phase, signal=None)
    cleanup.note("phase", phase="revert", clocks=clock_pair(), load1=load1())
    cleanup.revert(recovered=recovered)
    cleanup.residue(recovered=recovered, spare=set())


def _was_recovered(journal: JournalWriter) -> bool:
    steps = [r.data["ok"] for r in journal.records if r.kind == "step-end"]
    checks = [r.data["ok"] for r in journal.records if r.kind == "check"]
    said = [r.data["ok"] for r in journal.records if r.kind == "recovered"]
    return bool(said) and all(ok is True for ok in steps + checks + said)


__all__ = ["Alive", "JournalError", "recover"]
