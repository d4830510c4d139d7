"""The second Ctrl-C: what would be left broken, asked at the terminal, without waiting for it."""

from __future__ import annotations

import contextlib
import os
import select

from fireproof.guard.folder import RunFolder
from fireproof.guard.say import say
from fireproof.guard.standing import standing


def harm(folder: RunFolder) -> list[str]:
    """What a run has broken and not yet taken back, newest first, in words."""
    found = standing(folder.records())
    return [f"{one.data['label']} (component {one.data['component']})" for one in found]


class Question:
    """Asked once; whoever watches the run looks now and then whether it was answered."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._typed = b""

    @classmethod
    def ask(cls, folder: RunFolder) -> Question | None:
        """Ask; None when nobody can be asked, who is told how to go on instead."""
        broken = harm(folder)
        listed = "".join(f"\n  {line}" for line in broken)
        left = f"this stays broken:{listed}" if broken else "its record stays unsealed"
        fd = _terminal()
        if fd is None:
            say(
                f"fireproof: the undo goes on; if it were ended now, {left}\n"
                "fireproof: a third SIGINT ends it all the same, with exit code 4, and prints the "
                "commands to run by hand"
            )
            return None
        prompt = f"\nfireproof: the undo goes on; if it is ended now, {left}\nEnd it now? [y/N] "
        with contextlib.suppress(OSError):
            os.write(fd, prompt.encode())
        return cls(fd)

    def answer(self) -> bool | None:
        """Whether to leave it broken; None as long as nobody has said. No by default."""
        try:
            if not select.select([self._fd], [], [], 0)[0]:
                return None
            block = os.read(self._fd, 1024)
        except OSError:
            block = b""
        self._typed += block
        if block and not self._typed.endswith(b"\n"):
            return None
        os.close(self._fd)
        return self._typed.strip().lower() in (b"y", b"yes")

    def withdraw(self) -> None:
        """The run has ended; there is nothing left to decide."""
        with contextlib.suppress(OSError):
            os.write(self._fd, b"\n")
            os.close(self._fd)


def _terminal() -> int | None:
    """The terminal, when there is one and we are in its foreground: else a read would stop us."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if os.tcgetpgrp(fd) == os.getpgrp():
            return fd
    os.close(fd)
    return None
