"""Appends to a journal: one line, one fdatasync, and only then does the caller act.

A good end of a step shares the fdatasync of the record behind it, which comes before the next act.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Any

from fireproof.clock import monotonic_ns, utc_label
from fireproof.errors import JournalError
from fireproof.journal.line import FIRST_PREV, encode, to_bytes
from fireproof.journal.reader import read_bytes
from fireproof.model.record import Record

# Freed when the disk fills up, so that the undo of a fault can still be recorded: a run's whole
# journal is 10 to 40 kB.
BALLAST_BYTES = 256 * 1024
_MAY_SHARE = ("check", "step-end")  # one that is lost with the host means: outcome unknown


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class JournalWriter:
    """The one writer of a journal; holds an exclusive lock on the file for its whole life."""

    def __init__(self, fd: int, records: list[Record], offset: int, ballast: Path | None) -> None:
        self._fd = fd
        self._offset = offset
        self._ballast = ballast
        self._owes_sync = False
        self.records = records

    @classmethod
    def create(cls, path: Path, *, ballast: Path | None = None) -> JournalWriter:
        """Start a journal that did not exist.

        Raises:
            JournalError: when it exists already, or the folder cannot be written.
        """
        try:
            if ballast is not None:
                with ballast.open("xb") as file:
                    os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{path}: cannot start the journal: {error.strerror}") from error
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_folder(path.parent)
        return cls(fd, [], 0, ballast)

    @classmethod
    def take_over(cls, path: Path, *, ballast: Path | None = None) -> JournalWriter:
        """Go on with a dead writer's journal; a torn last line is cut, never trusted.

        Raises:
            JournalError: when its writer is still alive, it cannot be read, or more than its last
                line is damaged: cutting there would throw away the undo of a fault.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(f"{path}: cannot open the journal: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise JournalError(f"{path}: its writer is still alive") from error
        content = path.read_bytes()
        journal = read_bytes(content)
        if b"\n" in content[journal.sound_bytes : -1]:
            os.close(fd)
            raise JournalError(
                f"{path}: damaged before its last line ({journal.torn}); nothing was cut, and "
                "faults that it records may stand"
            )
        os.ftruncate(fd, journal.sound_bytes)
        os.fsync(fd)
        return cls(fd, list(journal.records), journal.sound_bytes, ballast)

    def append(self, kind: str, /, **data: Any) -> Record:
        """Write one record and return it once it is durable; a good end of a step a little later.

        Raises:
            JournalError: when it could not be made durable; nothing of it is left in the file.
        """
        prev = self.records[-1].sum if self.records else FIRST_PREV
        record = encode(len(self.records), utc_label(), monotonic_ns(), kind, data, prev)
        shares = kind in _MAY_SHARE and data.get("ok") is True
        try:
            self._write(to_bytes(record), sync=not shares)
        except OSError as error:
            raise JournalError(f"the journal cannot be written: {error.strerror}") from error
        self.records.append(record)
        return record

    def _write(self, line: bytes, *, sync: bool) -> None:
        try:
            self._put(line, sync=sync)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or self._ballast is None:
                raise
            self._ballast.unlink(missing_ok=True)
            self._ballast = None
            self._put(line, sync=sync)

    def _put(self, line: bytes, *, sync: bool) -> None:
        try:
            done = 0
            while done < len(line):
                done += os.pwrite(self._fd, line[done:], self._offset + done)
            if sync:
                os.fdatasync(self._fd)
            self._owes_sync = not sync
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._offset)
            raise
        self._offset += len(line)

    def close(self) -> None:
        """Give the lock back; the records stay readable."""
        if self._fd >= 0:
            if self._owes_sync:
                with contextlib.suppress(OSError):
                    os.fdatasync(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._ballast is not None:
            self._ballast.unlink(missing_ok=True)
