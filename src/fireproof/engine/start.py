"""From a frozen plan to a finished run, in the runner's process."""

from __future__ import annotations

import os
from typing import Any

from fireproof.engine.finish import finish
from fireproof.engine.recover import quarantine_if_dirty
from fireproof.engine.run import Run
from fireproof.engine.services import Services
from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupts
from fireproof.guard.lease import Lease
from fireproof.journal import JournalWriter
from fireproof.model.plan import Plan
from fireproof.processes import RUN_MARK, become_subreaper

SEAL_S = 3600.0  # judging and hashing gigabytes of samples


def start(
    plan: Plan,
    folder: RunFolder,
    services: Services,
    interrupts: Interrupts,
    heart: Heart,
) -> dict[str, Any]:
    """Run a plan to its sealed end; the result.

    Raises:
        EnvironmentRefusal: when it cannot begin: a component is under drill, or the evidence
            folder cannot be written. Nothing has been touched then, and nothing is left.
        JournalError, EvidenceError: the same, for the journal and the signature of the plan.
    """
    become_subreaper()  # orphans of a step come to us, and are found
    services.secrets.reveal()  # before anything is ours: what cannot be read is refused here
    os.environ[RUN_MARK] = plan.run  # and whoever recovers us finds all that we started
    lease = Lease()
    lease.take(plan.environment.identity, plan.drill.components, f"run {plan.run}")
    lock: int | None = None
    try:
        try:
            lock = folder.create()
        except OSError as error:
            raise EnvironmentRefusal(
                f"{error.filename or folder.root}: {error.strerror}; evidence must be writable "
                "before anything is broken (another folder: --evidence DIR)"
            ) from error
        digest = services.sign_plan(folder.bag, plan.model_dump(mode="json", by_alias=True))
        journal = JournalWriter.create(folder.journal, ballast=folder.ballast)
    except BaseException:
        folder.discard()
        if lock is not None:
            os.close(lock)
        lease.release()
        raise
    run = Run(plan, folder, journal, services, interrupts, heart)
    run.execute(digest)
    heart.allow(SEAL_S)
    quarantine_if_dirty(lease, plan, folder, journal)
    journal.close()
    result = finish(folder, plan, digest, services, run.cleanup)
    lease.release()
    os.close(lock)
    return result
