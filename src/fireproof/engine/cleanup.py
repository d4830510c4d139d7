"""The way down: undo, residue, and what to say when even the record of it fails."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from fireproof.clock import clock_pair, monotonic_ns
from fireproof.engine.revert import look_for_residue, revert_all
from fireproof.engine.services import Services
from fireproof.errors import JournalError
from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter
from fireproof.model.drill import RESIDUE, CheckObjective
from fireproof.model.plan import Plan
from fireproof.model.record import Record
from fireproof.processes import descendants, identify, kill_tree, marked, temporary_prefix


class Cleanup:
    """Shared by the runner that ends its own run and by the process that ends a dead one's.

    Nothing here raises: an undo matters more than its record, and more than who is told of it.
    """

    def __init__(
        self, folder: RunFolder, plan: Plan, journal: JournalWriter, services: Services
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._journal = journal
        self._services = services
        self._owed: dict[str, Any] | None = None
        self.journal_error: JournalError | None = None
        self.internal_error: Exception | None = None
        self.remarks: list[str] = []

    def note(self, kind: str, /, **data: Any) -> Record | None:
        """Append if the disk lets us; an undo is carried out whether or not it can be recorded."""
        data = self._services.secrets.redact(data)
        try:
            record = self._journal.append(kind, **data)
        except JournalError as error:
            self.journal_error = self.journal_error or error
            return None
        self._services.observe(record)
        return record

    def abort(self, why: str, by: str, phase: str, signum: int | None) -> None:
        """Record the abort; one that cannot be recorded now is owed until the residue check."""
        data: dict[str, Any] = {"why": why, "by": by, "phase": phase, "signal": signum}
        self._owed = None if self.note("abort", **data) else data

    def remark(self, text: str) -> None:
        """Something to say at the end that no record has a place for."""
        self.remarks.append(self._services.secrets.redact(text))

    def end_strays(self, spare: set[int]) -> list[str]:
        """End every process of the run but these; what would not die.

        Children of a killed runner are found by the mark in their environment.
        """
        left: list[int] = []
        for pid in dict.fromkeys([*descendants(os.getpid()), *marked(self._folder.run)]):
            if pid not in spare and identify(pid) is not None:
                left += kill_tree(pid)
        return [f"process {pid} does not die" for pid in left]

    def revert(self, *, recovered: bool) -> None:
        """Undo what stands."""
        records, faults = self._journal.records, self._services.faults
        revert_all(records, faults, self.note, recovered=recovered)

    def residue(self, *, recovered: bool, spare: set[int]) -> None:
        """End stray processes of the run, then look and record what is left."""
        if self._owed is not None:
            self.note("abort", **self._owed)
        before_ns = monotonic_ns()
        left = self.end_strays(spare) + self._remove_private_folders()
        looked, found = look_for_residue(
            self._journal.records, self._services.faults, recovered=recovered
        )
        looked.append("processes and private folders of the run")
        found += left
        expected = f"nothing left of {', '.join(looked)}"
        observed = f"left: {'; '.join(found)}" if found else expected
        self.check(RESIDUE, not found, expected, observed, before_ns)
        self.note("residue", clean=not found, found=found, clocks=clock_pair())

    def check(
        self, name: str, ok: bool, expected: str, observed: str, before_ns: int | None = None
    ) -> None:
        """Record one of the runner's own checks, if an objective names it."""
        objectives = self._plan.asked().values()
        if not any(isinstance(o, CheckObjective) and name in o.checks for o in objectives):
            return
        after_ns = monotonic_ns()
        self.note(
            "check",
            name=name,
            ok=ok,
            expected=expected,
            observed=observed,
            before_ns=after_ns if before_ns is None else before_ns,
            after_ns=after_ns,
            phase="revert",
            index=0,
        )

    def _remove_private_folders(self) -> list[str]:
        """What a killed step kept outside the run folder; steps name such folders by the run."""
        left = []
        places = {Path("/dev/shm"), Path(tempfile.gettempdir())}  # noqa: S108
        for component in self._plan.environment.components.values():
            into = (component.model_extra or {}).get("restore-into")
            places |= {Path(into)} if isinstance(into, str) else set()
        for place in places:
            ours = (f"fireproof-{self._folder.run}-*", f"{temporary_prefix(self._folder.run)}*")
            for folder in itertools.chain.from_iterable(map(place.glob, ours)):
                shutil.rmtree(folder, ignore_errors=True)
                left += [f"folder {folder}"] if folder.exists() else []
        return left
