"""A dead man's switch between runner and guardian: a hang is noticed, not only a death.

The runner's main thread says how long it may be busy; a thread of it writes a byte into a pipe
twice a second for as long as that holds. A stopped process writes nothing, and neither does one
whose main thread is stuck beyond its word.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time

PERIOD_S = 0.5
HANG_S = 5.0  # ten periods: a machine that starves a thread for that long measures nothing anyway
SLACK_S = 30.0  # on top of what a step was promised: its tree is to be ended, its files looked at


class Heart:
    """The runner's end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._until = time.monotonic() + SLACK_S
        self._over = threading.Event()

    def start(self) -> None:
        """Beat from now on; call in the runner, after the fork."""
        threading.Thread(target=self._beat, name="heart", daemon=True).start()

    def allow(self, seconds: float) -> None:
        """The main thread may be busy for this long from now, and some slack."""
        self._until = time.monotonic() + seconds + SLACK_S

    def _beat(self) -> None:
        while not self._over.wait(PERIOD_S):
            if time.monotonic() < self._until:
                with contextlib.suppress(OSError):  # nobody listens any more
                    os.write(self._fd, b".")


class Pulse:
    """The guardian's end: how long ago the last beat was."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        os.set_blocking(self.reads, False)
        os.set_blocking(self.writes, False)
        self._last = time.monotonic()

    def listen(self) -> None:
        """Give the runner's end up; call in the guardian, after the fork."""
        os.close(self.writes)
        self._last = time.monotonic()

    def has_stopped(self) -> bool:
        """Whether there was no beat for HANG_S."""
        with contextlib.suppress(BlockingIOError):
            if os.read(self.reads, 4096):
                self._last = time.monotonic()
        return time.monotonic() - self._last > HANG_S
