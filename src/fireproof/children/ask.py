"""Ask a database or a server in a child process, so that a hang can be ended and costs no memory.

A library stuck on a frozen server cannot be interrupted from a thread; a process can.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fireproof.children.texts import last_line
from fireproof.errors import StepError
from fireproof.processes import run_to_end, scrubbed

MARGIN_NS = 150 * 10**6  # the child gives up this much earlier, to say itself what it last saw
_MAX_ANSWER = 4 * 2**20


def ask(
    module: str,
    request: Mapping[str, Any],
    *,
    deadline_ns: int,
    beat: Callable[[], None] = lambda: None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the child module told last; ``{"late": True}`` is added when it had to be ended.

    The request goes through a memory file: neither the disk nor the command line shows it.

    Raises:
        StepError: when the child could not do its work at all.
    """
    question, answer = os.memfd_create("question"), os.memfd_create("answer")
    try:
        whole = {**request, "deadline_ns": deadline_ns - MARGIN_NS}
        with os.fdopen(os.dup(question), "wb") as file:
            file.write(json.dumps(whole).encode())
        os.lseek(answer, 0, os.SEEK_SET)
        # Not a file on a disk either: a library's complaint may quote what it was given.
        with os.fdopen(os.memfd_create("errors"), "rb") as errors:
            argv = [sys.executable, "-I", "-m", module, str(question), str(answer)]
            ended = run_to_end(
                argv,
                deadline_ns=deadline_ns,
                stdout=errors.fileno(),
                stderr=errors.fileno(),
                env=scrubbed({"LC_ALL": "C.UTF-8"} | dict(env or {})),
                beat=beat,
                pass_fds=(question, answer),
            )
            told = _last_told(answer)
            if ended.timed_out:
                return (told or {}) | {"late": True}
            if ended.returncode != 0 or told is None:
                said = last_line(Path(f"/proc/self/fd/{errors.fileno()}"))
                why = said or f"ended with {ended.returncode}"
                raise StepError(f"{module} could not do its work: {why}")
    except OSError as err:
        raise StepError(f"cannot start {module}: {err.strerror}") from err
    finally:
        os.close(question)
        os.close(answer)
    if needs := told.get("needs"):
        raise StepError(f"this step needs {needs}; install fireproof[run]")
    return told


def _last_told(fd: int) -> dict[str, Any] | None:
    """The last whole line; a torn one was being written when the child was ended."""
    size = os.lseek(fd, 0, os.SEEK_END)
    data = os.pread(fd, _MAX_ANSWER, max(0, size - _MAX_ANSWER))
    lines = data.rpartition(b"\n")[0].rsplit(b"\n", 1)
    try:
        told = json.loads(lines[-1])
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
