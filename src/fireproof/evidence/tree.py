"""What really lies in a folder: regular files, and everything that has no place in a bag."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from fireproof.evidence.manifest import BagProblem, why_unfit


@dataclass(slots=True)
class Tree:
    """Files by path relative to the folder, with ``/``; folders deepest last."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    problems: list[BagProblem] = field(default_factory=list)


def walk(folder: Path) -> Tree:
    """Everything below ``folder``, without following or opening anything.

    The folder itself may be a symlink; nothing in it may be. Raises OSError when the folder
    itself cannot be listed.
    """
    tree = Tree()
    todo = [("", os.scandir(folder))]
    while todo:
        prefix, entries = todo.pop()
        with entries:
            children = sorted(entries, key=lambda entry: entry.name)
        if prefix and not children:
            tree.empty.append(prefix.rstrip("/"))
        for child in children:
            name = prefix + child.name
            unfit = why_unfit(name)
            if unfit:
                tree.problems.append(BagProblem("path", name, unfit))
            try:
                status = child.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    if not unfit:
                        tree.files[name] = status
                elif stat.S_ISDIR(status.st_mode):
                    tree.folders.append(name)
                    todo.append((f"{name}/", os.scandir(child.path)))
                elif stat.S_ISLNK(status.st_mode):
                    target = os.readlink(child.path)
                    text = f"a symlink (to {target!a}); a bundle holds files only"
                    tree.problems.append(BagProblem("symlink", name, text))
                else:
                    text = "neither file nor folder (FIFO, socket or device)"
                    tree.problems.append(BagProblem("special", name, text))
            except OSError as error:
                text = f"cannot be read: {error.strerror}"
                tree.problems.append(BagProblem("unreadable", name, text))
    tree.problems.sort(key=lambda problem: problem.file)
    return tree


def sync_folders(folder: Path, names: list[str]) -> None:
    """Make the entries of ``folder`` and of the named folders below it durable."""
    for name in [*reversed(names), "."]:
        sync_folder(folder / name)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: files made, renamed or removed in it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folders(folder: Path, mode: int = 0o755) -> None:
    """Folder and its parents, each durable in the one above."""
    missing = [folder]
    while not missing[-1].exists():
        missing.append(missing[-1].parent)
    for path in reversed(missing[:-1]):
        path.mkdir(mode=mode, exist_ok=True)
        sync_folder(path.parent)


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file and make its content durable; its name is when its folder is synced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def open_plain(path: Path) -> FileIO:
    """A regular file, open for reading; never through a symlink, never waiting for a FIFO."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return FileIO(fd, "rb")


def read_small(path: Path, limit: int) -> bytes:
    """Bytes of a regular file of at most ``limit`` bytes; OSError otherwise."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"{size} bytes, larger than any such file", str(path))
        return file.readall()
