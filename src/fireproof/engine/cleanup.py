"""The way down: undo, residue, and what to say when even the record of it fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from fireproof.engine.revert import look_for_residue, revert_all
from fireproof.engine.services import Services
from fireproof.errors import JournalError
from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter
from fireproof.model.record import Record
from fireproof.processes import descendants, identify, kill_tree


class Cleanup:
    """Shared by the runner that ends its own run and by the process that ends a dead one's."""

    def __init__(self, folder: RunFolder, journal: JournalWriter, services: Services) -> None:
        self._folder = folder
        self._journal = journal
        self._services = services
        self.journal_error: JournalError | None = None
        self.internal_error: Exception | None = None
        self.remarks: list[str] = []

    def note(self, kind: str, /, **data: Any) -> Record | None:
        """Append if the disk lets us; an undo is carried out whether or not it can be recorded."""
        data = self._services.secrets.redact(data)
        try:
            record = self._journal.append(kind, **data)
        except JournalError as error:
            self.journal_failed(error)
            return None
        self._services.observe(record)
        return record

    def journal_failed(self, error: JournalError) -> None:
        """Remember the first time the journal could not be written."""
        self.journal_error = self.journal_error or error

    def remark(self, text: str) -> None:
        """Something to say at the end that no record has a place for."""
        self.remarks.append(self._services.secrets.redact(text))

    def revert(self, *, recovered: bool) -> bool:
        """Undo what stands; True when nothing of it is left."""
        records, faults = self._journal.records, self._services.faults
        return revert_all(records, faults, self.note, recovered=recovered)

    def _remove_private_folders(self) -> list[str]:
        """What a killed step kept outside the run folder; steps name such folders by the run."""
        left = []
        for place in {Path("/dev/shm"), Path(tempfile.gettempdir())}:  # noqa: S108
            for folder in place.glob(f"fireproof-{self._folder.run}-*"):
                shutil.rmtree(folder, ignore_errors=True)
                left += [f"folder {folder}"] if folder.exists() else []
        return left

    def residue(self, *, recovered: bool, spare: set[int]) -> bool:
        """End stray processes of the run, then look and record what is left."""
        strays = []
        for pid in descendants(os.getpid()):
            if pid in spare or identify(pid) is None:
                continue
            strays += kill_tree(pid)
        left = [f"process {pid} does not die" for pid in strays]
        left += self._remove_private_folders()
        return look_for_residue(
            self._journal.records,
            self._services.faults,
            self.note,
            recovered=recovered,
            strays=left,
        )
