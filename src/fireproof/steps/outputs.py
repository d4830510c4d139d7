"""A step's own folder in the bag, and the bounded texts that are taken from it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from fireproof.children.texts import last_line, one_line
from fireproof.errors import EnvironmentRefusal, StepError
from fireproof.model.environment import resolve
from fireproof.model.ports import StepContext

__all__ = [
    "MAX_SAVED_BYTES",
    "collect",
    "fill",
    "last_line",
    "one_line",
    "outputs_folder",
    "read_plain",
    "saved_text",
    "worst",
]

MAX_SAVED_BYTES = 64 * 1024  # a saved value goes into the journal and into later steps' texts


def fill(text: str, context: StepContext) -> str:
    """The text with its ``{component.key}`` and ``{saved.name}`` replaced."""
    try:
        return resolve(text, context.environment, context.saved)
    except EnvironmentRefusal as err:
        raise StepError(str(err)) from err


def outputs_folder(context: StepContext) -> Path:
    """The step's folder, made if need be."""
    folder = context.bag / context.outputs
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StepError(f"cannot make {folder}: {err.strerror}") from err
    return folder


def collect(context: StepContext) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(plain files, names of others that were removed), relative to the bag, sorted.

    A link or a pipe left in the outputs is taken away: a bundle must not point out of itself.
    """
    plain: list[str] = []
    removed: list[str] = []
    for at, folders, files in os.walk(context.bag / context.outputs):
        for name in sorted(folders + files):
            path = Path(at, name)
            mode = path.lstat().st_mode
            shown = path.relative_to(context.bag).as_posix()
            if stat.S_ISREG(mode):
                plain.append(shown)
            elif not stat.S_ISDIR(mode):
                path.unlink()
                removed.append(shown)
    return tuple(sorted(plain)), tuple(sorted(removed))


def saved_text(path: Path) -> str | None:
    """The file's text without the space around it; None when it is too large or not UTF-8."""
    data = read_plain(path, MAX_SAVED_BYTES)
    try:
        return None if data is None else data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None


def read_plain(path: Path, limit: int) -> bytes | None:
    """Bytes of a plain file (no link, no pipe) of at most ``limit`` bytes, else None."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def worst(oks: Iterable[bool | None]) -> bool | None:
    """False if any is, else None if any is, else True. Of none at all: None."""
    seen = list(oks)
    if False in seen:
        return False
    return None if None in seen or not seen else True
