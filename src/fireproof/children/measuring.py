"""Starts a child that measures: isolated, in a session of its own, told what to do by a line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO

from fireproof.processes import scrubbed


def start_measuring(module: str, page: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The process and what it complains of, which no disk sees; it shares the page of memory.

    Raises:
        OSError: when it cannot be started; nothing is left open.
    """
    complaints = os.fdopen(os.memfd_create("complaints"), "w+b")
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=scrubbed(),
            cwd="/",
            start_new_session=True,
            pass_fds=(page,),
        )
    except OSError:
        complaints.close()
        raise
    return process, complaints
