"""What a schedule has dealt with so far, durable: a gap is noticed however it came about."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fireproof.errors import EnvironmentRefusal


@dataclass(frozen=True, slots=True)
class Agenda:
    """``<folder>/<key>.json``: the newest occurrence that was run or sealed as missed, and the one
    whose run was begun last.
    """

    folder: Path
    key: str

    @property
    def path(self) -> Path:
        return self.folder / f"{self.key}.json"

    def read(self) -> tuple[datetime, datetime | None] | None:
        """(handled, begun); None for a schedule that was never asked before.

        Raises:
            EnvironmentRefusal: what is there is no agenda of ours.
        """
        try:
            value = json.loads(self.path.read_bytes())
            begun = value["begun"]
            found = (
                datetime.fromisoformat(value["handled"]),
                datetime.fromisoformat(begun) if begun else None,
            )
            if any(one.tzinfo is None for one in found if one):
                raise ValueError("a time without its zone")
            return found
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EnvironmentRefusal(
                f"{self.path}: cannot be read as an agenda ({error}); it says which runs were "
                "missed: restore it, or move it away to begin anew from now"
            ) from error

    def write(self, handled: datetime, begun: datetime | None) -> None:
        """Durable before it returns."""
        text = {"handled": handled.isoformat(), "begun": begun.isoformat() if begun else None}
        draft = self.path.with_suffix(".tmp")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(text, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise EnvironmentRefusal(f"{self.path}: {error.strerror}") from error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """One scheduler at a time.

        Raises:
            EnvironmentRefusal: another one holds it, or the folder cannot be written.
        """
        path = self.path.with_suffix(".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentRefusal(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise EnvironmentRefusal(
                f"{self.key} is looked after by another scheduler ({path} is held)"
            ) from error
        finally:
            os.close(fd)
