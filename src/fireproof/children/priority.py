"""Whoever asks on a schedule asks before others do."""

from __future__ import annotations

import contextlib
import ctypes
import os

_PR_SET_TIMERSLACK = 29
_PRIORITY = -10


def raise_priority() -> None:
    """Ask before others do: a late question measures this machine, not the system.

    Round-robin real time where permitted, else a better nice value, else as it is; how late the
    questions were is in the samples either way.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
