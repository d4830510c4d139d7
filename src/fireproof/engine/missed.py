"""A run that was due and did not happen, sealed like any other: a gap in the record shows."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from typing import Any

from fireproof.clock import clock_pair
from fireproof.engine.cleanup import Cleanup
from fireproof.engine.finish import finish
from fireproof.engine.observation import machine
from fireproof.engine.services import Services
from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter
from fireproof.model.plan import Plan


def missed_run_id(drill: str, environment: str, due: datetime) -> str:
    """The one id (UUIDv7, time of the occurrence) that this occurrence can be missed under.

    So that a schedule that is killed and asked again never seals the same gap twice.
    """
    digest = hashlib.sha256(f"{drill}\0{environment}\0{due.isoformat()}".encode()).digest()
    value = (int(due.timestamp() * 1000) << 80) | int.from_bytes(digest[:10])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def seal_missed(plan: Plan, folder: RunFolder, services: Services) -> dict[str, Any]:
    """Seal an occurrence that nobody ran, as its plan says; the result, also if it was sealed.

    An attempt that was killed in the middle is an unfinished run: sweep first.

    Raises:
        EnvironmentRefusal: the evidence folder cannot be written, or holds such an attempt.
        JournalError, EvidenceError: the same, for the journal and the signature of the plan.
    """
    if (result := folder.read_result()) is not None:
        return result
    if folder.has_begun:
        raise EnvironmentRefusal(f"{folder.root} is unfinished: fireproof recover {folder.root}")
    folder.discard()  # of an attempt that was killed before its first record
    try:
        lock = folder.create()
    except OSError as error:
        raise EnvironmentRefusal(f"{error.filename or folder.root}: {error.strerror}") from error
    try:
        digest = services.sign_plan(folder.bag, plan.model_dump(mode="json", by_alias=True))
        journal = JournalWriter.create(folder.journal, ballast=folder.ballast)
        try:
            cleanup = Cleanup(folder, plan, journal, services)
            cleanup.note(
                "open",
                run=plan.run,
                drill=plan.drill.drill,
                environment=plan.environment.environment,
                plan_sha256=digest,
                clocks=clock_pair(),
                boot_id=machine()["boot_id"],
                pid=os.getpid(),
            )
            # Nothing was begun, so nothing can be left.
            cleanup.note("residue", clean=True, found=[], clocks=clock_pair())
        finally:
            journal.close()
        return finish(folder, plan, digest, services, cleanup)
    finally:
        os.close(lock)
