"""A call of ``fireproof`` in a terminal of its own, with somebody at the keyboard."""

from __future__ import annotations

import os
import pty
import select
import sys
import time

from support.scenario import Scenario

CTRL_C = "\x03"
_HAND_S = 0.3  # nobody reads and types faster


class Terminal:
    """The call is the terminal's foreground; ``seen`` is what stood on the screen so far."""

    def __init__(self, words: list[str], scenario: Scenario) -> None:
        self.seen = ""
        argv = [sys.executable, "-m", "fireproof", *words]
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.chdir(scenario.project)
            os.execve(sys.executable, argv, scenario.environ | {"CI": "1"})  # noqa: S606

    def type(self, text: str) -> None:
        time.sleep(_HAND_S)  # signals of one kind that wait to be taken are one signal
        os.write(self._screen, text.encode())

    def wait_for(self, text: str, *, times: int = 1, timeout_s: float = 30) -> None:
        """Read until the text stands on the screen."""
        give_up_at = time.monotonic() + timeout_s
        while self.seen.count(text) < times:
            assert time.monotonic() < give_up_at, f"{text!r} never came:\n{self.seen}"
            assert self._read(), f"{text!r} never came:\n{self.seen}"

    def end(self, timeout_s: float = 60) -> int:
        """Read to the end; the exit code."""
        give_up_at = time.monotonic() + timeout_s
        while self._read():
            assert time.monotonic() < give_up_at, f"it does not end:\n{self.seen}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self._screen)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        """A little more of the screen; False once its last process closed the terminal."""
        if select.select([self._screen], [], [], 0.2)[0]:
            try:
                block = os.read(self._screen, 4096)
            except OSError:
                return False
            self.seen += block.decode("utf-8", "replace").replace("\r", "")
            return bool(block)
        return True
