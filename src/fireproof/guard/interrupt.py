"""Ring 0: a signal or an abort condition ends the run between two records, never inside one.

The main thread is deaf by default and listens only inside ``armed()``: while a step runs or time
passes. What arrived meanwhile is raised at the next ``armed()``.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_POKE = signal.SIGUSR2  # from our own watcher thread to the main thread


class Interrupted(BaseException):
    """Not an Exception: no step may swallow it."""

    def __init__(self, why: str, by: str, signum: int | None = None) -> None:
        self.why, self.by, self.signum = why, by, signum
        super().__init__(why)


class Interrupts:
    """The first reason to stop wins; later ones change nothing."""

    def __init__(self, asked: Callable[[], str | None] = lambda: None) -> None:
        self._asked = asked  # who had the guardian send SIGTERM, if it was somebody
        self._pending: Interrupted | None = None
        self._armed = False
        self._closed = False

    def install(self) -> None:
        """Take the signals over; call in the main thread."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)
        signal.signal(_POKE, self._on_poke)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the guardian blocked them to fork us

    def request(self, why: str, by: str) -> None:
        """Ask for the end from another thread."""
        if self._pending is None and not self._closed:
            self._pending = Interrupted(why, by)
            thread = threading.main_thread()
            if thread.ident is not None:
                signal.pthread_kill(thread.ident, _POKE)

    def close(self) -> None:
        """From here on nothing interrupts: undo and sealing run to their end."""
        self._closed = True

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Listen for the length of the block."""
        self._armed = True
        try:
            self._raise_pending()
            yield
        finally:
            self._armed = False

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._pending is None:
            order = self._asked() if signum == signal.SIGTERM else None
            name = signal.Signals(signum).name
            self._pending = (
                Interrupted(f"stopped by {name}", "signal", signum)
                if order is None
                else Interrupted(order, "operator")
            )
        self._raise_pending()

    def _on_poke(self, signum: int, frame: FrameType | None) -> None:
        self._raise_pending()

    def _raise_pending(self) -> None:
        if self._armed and not self._closed and self._pending is not None:
            self._armed = False
            raise self._pending
