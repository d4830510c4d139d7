"""sha256 of many files, on every core we may use."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fireproof.evidence.tree import open_plain

# hashlib lets other threads run while it works, so threads pay, but starting one costs about as
# much as hashing 100 kB.
_WORTH_A_THREAD = 4 * 1024 * 1024
# Syncing is waiting: 100 small files took 44 ms one after the other and 30 ms four at a time.
_MANY, _WAITERS = 32, 4
# A write in the same tick of the file system's clock as the last one leaves the times as they were.
_TICK_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Digested:
    """A file's sha256 (or why there is none) and what the file looked like while it was read."""

    digest: str | None
    error: str | None
    size: int = 0
    seen: tuple[int, ...] = ()
    settled: bool = False  # last changed well before it was read, so ``seen`` shows any change

    def still(self, status: os.stat_result) -> bool:
        """Whether the file is certainly the one that was read."""
        return self.settled and self.seen == _looks(status)


def sha256_hex(data: bytes) -> str:
    """Digest of bytes in memory."""
    return hashlib.sha256(data).hexdigest()


def digest_files(folder: Path, names: Iterable[str], *, sync: bool = False) -> dict[str, Digested]:
    """Digest of every named file below ``folder``; never raises, errors stand in the result.

    Args:
        folder: what the names are relative to.
        names: paths with ``/``.
        sync: make each file durable before reading it.
    """
    sizes: dict[str, int] = {}
    for name in names:
        try:
            sizes[name] = os.lstat(folder / name).st_size
        except OSError:
            sizes[name] = 0  # the worker meets the same error and says so
    todo = sorted(sizes, key=sizes.__getitem__)  # the largest is taken first, from the end
    done: dict[str, Digested] = {}

    def work() -> None:
        while True:
            try:
                name = todo.pop()
            except IndexError:
                return
            done[name] = _digest(folder / name, sync)

    hands = 1
    if sync and len(sizes) >= _MANY:
        hands = _WAITERS
    elif sum(sizes.values()) >= _WORTH_A_THREAD:
        hands = min(len(os.sched_getaffinity(0)), len(todo))
    crew = [threading.Thread(target=work, name=f"digest-{n}") for n in range(1, hands)]
    for thread in crew:
        thread.start()
    work()
    for thread in crew:
        thread.join()
    return {name: done[name] for name in sizes}


def _digest(path: Path, sync: bool) -> Digested:
    try:
        with open_plain(path) as file:
            if sync:
                os.fsync(file.fileno())
            before = os.fstat(file.fileno())
            started_ns = time.time_ns()
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
    except OSError as error:
        return Digested(None, error.strerror or str(error))
    settled = _looks(before) == _looks(after) and before.st_ctime_ns < started_ns - _TICK_NS
    return Digested(digest, None, after.st_size, _looks(after), settled)


def _looks(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
