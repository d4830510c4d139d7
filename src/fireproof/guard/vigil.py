"""The guardian's wait: until a child ends, with an ear for whoever wants it to stop.

Ctrl-C once stops and reverts, twice asks, three times abandons. A terminal tells every process of
its foreground group, and a caller such as a game day passes on what it was told: signals are taken
with their origin, so that one press is never counted twice.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Pulse
from fireproof.guard.question import Question
from fireproof.guard.say import say

LOOK_S = 0.5
_LOOK_ASKING_S = 0.05
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HEARD = {*STOPS, signal.SIGCHLD}
_FROM_KERNEL = 128  # si_code SI_KERNEL: typed at the terminal, not sent by a process


class Vigil:
    """Keeps count over the runner and over the recovery that may follow it."""

    def __init__(self, folder: RunFolder, asked: Callable[[], str | None]) -> None:
        self._folder = folder
        self._asked = asked
        self._told = False  # the runner has been asked to stop
        self._presses = 0
        self._alone = 0  # presses at the terminal that no caller has passed on, or not yet
        self._question: Question | None = None
        self.abandoned = False

    def listen(self) -> None:
        """From now on signals wait until ``wait`` takes them; call after the fork."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)

    def wait(self, child: int, *, pulse: Pulse | None = None, give_up_at: float = 0.0) -> bool:
        """Wait for the end of a child, which stays to be reaped; whether it had to be killed.

        Args:
            child: its pid.
            pulse: the heart of a runner, which is told of stops; None for a recovery, which is
                stopping already.
            give_up_at: CLOCK_MONOTONIC seconds at which it is killed; 0 for never.
        """
        killed = False
        pidfd = os.pidfd_open(child)
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            while not poller.poll(0):
                self._hear(child if pulse else None)
                _reap_others(child)
                late = 0 < give_up_at < time.monotonic()
                if not killed and (self.abandoned or late or (pulse and pulse.has_stopped())):
                    killed = True
                    with contextlib.suppress(OSError):
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)
            if self._question is not None:
                self._question.withdraw()
                self._question = None
        return killed

    def _hear(self, runner: int | None) -> None:
        """One look: a signal, an order, an answer at the terminal."""
        info = signal.sigtimedwait(_HEARD, _LOOK_ASKING_S if self._question else LOOK_S)
        if info is not None and info.si_signo in STOPS:
            if runner is not None:  # deaf to all but the first
                _forward(runner, info.si_signo)
                self._told = True
            if info.si_signo == signal.SIGINT:
                self._press(typed=info.si_code == _FROM_KERNEL)
        elif runner is not None and not self._told and self._asked() is not None:
            self._told = True
            _forward(runner, signal.SIGTERM)
        answer = self._question.answer() if self._question else None
        if answer is not None:
            self._question = None
            self.abandoned = self.abandoned or answer
            if not answer:
                self._presses = 1
                say("fireproof: no; going on with the undo")

    def _press(self, *, typed: bool) -> None:
        if not typed and self._alone:
            self._alone -= 1
            return  # a caller passes on what the terminal has told us already
        self._alone += typed
        self._presses += 1
        if self._presses == 1:
            say("fireproof: stopping; what was broken is being undone (Ctrl-C again asks)")
        elif self._presses == 2:
            self._question = Question.ask(self._folder)
        else:
            self.abandoned = True


def _forward(child: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signum)


def _reap_others(child: int) -> None:
    """Reap orphans that were handed to us."""
    while True:
        try:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if info is None or info.si_pid == child:
            return
        os.waitpid(info.si_pid, 0)
