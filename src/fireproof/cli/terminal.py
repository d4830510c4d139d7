"""The person at the terminal: what they are shown, and what they are asked."""

from __future__ import annotations

import os
import select
import sys

WAIT_S = 60.0  # somebody who is there answers by then; a scheduler never does


def ask_at_terminal(prompt: str) -> str | None:
    """The line that was typed; None without a terminal, or when nobody typed in time."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        os.write(fd, prompt.encode())
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([fd], [], [], WAIT_S)
            block = os.read(fd, 1024) if ready else b""
            if not block:
                os.write(fd, b"\n")
                return None
            line += block
        return line.decode("utf-8", "replace").strip()
    except OSError:  # for example: we are in the background
        return None
    finally:
        os.close(fd)


def show_carets(asked: bool | None = None) -> bool:
    """Whether to show the line of a problem: at a terminal, unless asked otherwise; logs of a CI
    keep one line a problem.
    """
    if asked is not None:
        return asked
    plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain
