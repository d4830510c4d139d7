"""A directory that is moved whole: whether it may be, who uses it, and a rename that lasts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def why_not_to_move(directory: str, aside: str, *, keep: Iterable[Path]) -> str | None:
    """Reason not to rename ``directory`` to ``aside``; ``keep`` must not lie within it."""
    if not os.path.isabs(directory) or os.path.normpath(directory) != directory:
        return f"data-directory: expected an absolute path without '..', got {directory!r}"
    if os.path.islink(directory):
        return f"{directory} is a link; name the directory itself"
    if not os.path.isdir(directory):
        return f"there is no directory {directory}"
    if os.path.lexists(aside):
        return f"{aside} exists already; an earlier undo was not finished"
    parent = os.path.dirname(directory)
    if os.path.ismount(directory) or os.stat(parent).st_dev != os.stat(directory).st_dev:
        return f"{directory} is a mount point and cannot be moved aside on its own file system"
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"no permission to rename within {parent}"
    real = os.path.realpath(directory)
    for path in keep:
        if Path(os.path.realpath(path)).is_relative_to(real):
            return f"{path} lies within {directory} and would be lost with it"
    return None


def move(source: str, target: str) -> None:
    """Rename, durably; never onto something that is there."""
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists already; {source} was not moved")
    os.rename(source, target)
    fd = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def using(directory: str) -> list[tuple[int, str]]:
    """(pid, words) of processes that stand in the directory or hold a file in it open.

    Only of processes that we may look at; as root that is all of them.
    """
    inside = os.path.realpath(directory) + os.sep
    found: list[tuple[int, str]] = []
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdecimal()):
        links = [f"/proc/{pid}/cwd"]
        with contextlib.suppress(OSError):
            links += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
        for link in links:
            with contextlib.suppress(OSError):
                if (os.readlink(link) + os.sep).startswith(inside):
                    name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
                    found.append((pid, f"pid {pid} ({name})"))
                    break
    return found
