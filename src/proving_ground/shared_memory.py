"""The shared memory that a Postgres ended by SIGKILL leaves with the kernel."""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

_IPC_RMID = 0


def remove_segments(database: Path) -> list[str]:
    """Remove the System V segment of every dead cluster below a folder; what would not go.

    Each data directory's ``postmaster.pid`` names its segment in line 7 (key and id). The segment
    is ours only while key and id still belong together: ids are used again.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    left = []
    for pid_file in database.glob("*/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            key, segment = map(int, pid_file.read_text("utf-8").splitlines()[6].split())
            if libc.shmget(ctypes.c_int(key), ctypes.c_size_t(0), 0) != segment:
                continue
            if libc.shmctl(segment, _IPC_RMID, None) != 0:
                left.append(f"shared memory segment {segment} of {pid_file.parent.name}")
    return left
