"""A probe of another package: its question asked in a thread, timed like any other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireproof.probes.attempt import StartAttempt

_SWITCH_S = 0.0005  # the schedule is not to wait 5 ms for a plug-in that computes
_SPARE = 4  # threads that may be a moment late in returning


class PluginAttempt:
    """One question. It has begun when it exists and ends exactly once."""

    def __init__(
        self,
        ask: Callable[[int], str],
        hurry: Callable[[], None],
        question: bytes,
        *,
        slot: int,
        due_ns: int,
        deadline_ns: int,
        ended: Callable[[PluginAttempt], None],
    ) -> None:
        self.slot, self.due_ns, self.deadline_ns = slot, due_ns, deadline_ns
        self.done_ns = 0
        self.end = ""
        self.why = ""
        self._ask, self._hurry, self._ended = ask, hurry, ended
        self._loop = asyncio.get_running_loop()
        left_s = (deadline_ns - time.monotonic_ns()) / 1e9
        self._timer = self._loop.call_later(max(0.0, left_s), self.expire)
        # Stamped here, before the thread asks: earlier than the question, never later.
        self.sent_ns = time.monotonic_ns()
        self.connected_ns: int | None = self.sent_ns
        threading.Thread(target=self._work, daemon=True).start()

    def expire(self) -> None:
        """Time is up; what the thread still finds out counts no more."""
        self._finish("timeout", "timeout", time.monotonic_ns())

    def _work(self) -> None:
        self._hurry()  # a thread that is kept waiting with the interpreter's lock makes us all late
        try:
            end, why = "answered", str(self._ask(self.deadline_ns))
        except ConnectionRefusedError:
            end, why = "refused", "connection refused"
        except ConnectionError:
            end, why = "reset", "connection reset"
        except TimeoutError:
            end, why = "timeout", "timeout"
        except Exception as error:
            end, why = "error", type(error).__name__
        with contextlib.suppress(RuntimeError):  # the probe has ended meanwhile
            self._loop.call_soon_threadsafe(self._finish, end, why, time.monotonic_ns())

    def _finish(self, end: str, why: str, done_ns: int) -> None:
        if self.end:
            return
        self.done_ns, self.end, self.why = done_ns, end, why
        self._timer.cancel()
        self._ended(self)


def asking(task: dict[str, Any], hurry: Callable[[], None]) -> StartAttempt:
    """How questions of a plug-in are asked; raises ValueError when it cannot be used.

    ``hurry`` gives the thread that calls it the priority of the schedule.
    """
    sys.setswitchinterval(_SWITCH_S)
    sys.path[:] = task["sys_path"]
    kind = task["kind"]
    module, _, name = task["plugin"].partition(":")
    try:
        probe = getattr(import_module(module), name)()
        params = probe.params.model_validate(task["params"])
    except Exception as error:
        raise ValueError(f"{kind} cannot be used: {type(error).__name__}: {error}") from error
    most = 2 * max(1, ceil(task["timeout_ns"] / task["period_ns"])) + _SPARE
    before = threading.active_count()

    def start(question: bytes, /, **when: Any) -> PluginAttempt:
        if threading.active_count() - before > most:
            # A question that nobody asks is no observation; rather none from here on.
            print(f"{kind} does not return by its deadline", file=sys.stderr, flush=True)
            os._exit(1)
        return PluginAttempt(partial(probe.ask, params), hurry, question, **when)

    return start
