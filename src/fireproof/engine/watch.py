"""Abort conditions, looked at all the time, and how often that was."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fireproof.clock import monotonic_ns
from fireproof.model.drill import AbortWhen
from fireproof.model.ports import RunningLoad, RunningProbe

_EVERY_S = 0.2
PAUSE_MOST_S = 2.0  # longer, and the harm had gone on unseen; a busy machine costs some tenths
_CONDITION = re.compile(r"([a-z0-9-]+)\.errors > (\d+)( before fault)?")
_BEFORE_FAULT = ("open", "preflight", "baseline")

Watched = Mapping[str, RunningProbe | RunningLoad]


@dataclass(slots=True)
class _Looks:
    """At one condition, while it applied."""

    count: int = 0
    errors: int = 0
    longest_ns: int = 0  # between two of them
    last_ns: int | None = None  # None: it does not apply now
    held: bool = False

    def look(self, now_ns: int, errors: int) -> None:
        self.count, self.errors = self.count + 1, errors
        self.pause(now_ns)
        self.last_ns = now_ns

    def pause(self, now_ns: int) -> None:
        if self.last_ns is not None:
            self.longest_ns = max(self.longest_ns, now_ns - self.last_ns)

    def __str__(self) -> str:
        if not self.count:
            return "never looked at"
        pause_s = self.longest_ns / 1e9
        said = f"{self.count} looks, at most {pause_s:.2f} s apart, {self.errors} errors"
        return f"{said}; held, and ended the run" if self.held else said


class Watch:
    """Asks ``stop`` for the end of the run as soon as a condition holds."""

    def __init__(
        self,
        conditions: Sequence[AbortWhen],
        watched: Callable[[], Watched],
        phase: Callable[[], str],
        stop: Callable[[str, str], object],
    ) -> None:
        found = [_CONDITION.fullmatch(condition.when) for condition in conditions]
        self._conditions = [match for match in found if match]
        self._watched, self._phase, self._stop = watched, phase, stop
        self._looks = {match[0]: _Looks() for match in self._conditions}
        self._died = False

    def run(self, over: threading.Event) -> None:
        """Until then; for a thread of its own."""
        self._died = True
        while not over.wait(_EVERY_S):
            self.look(monotonic_ns())
        for looks in self._looks.values():
            looks.pause(monotonic_ns())
        self._died = False

    def look(self, now_ns: int) -> None:
        """Once at every condition that applies: its source is there, and its phase is not over."""
        watched = self._watched()
        for match in self._conditions:
            source, looks = watched.get(match[1]), self._looks[match[0]]
            if source is None or (match[3] and self._phase() not in _BEFORE_FAULT):
                looks.last_ns = None
                continue
            errors = source.errors()
            looks.look(now_ns, errors)
            if errors > int(match[2]):
                looks.held = True
                self._stop(f"abort condition {match[0]!r}: {errors} errors", "abort-condition")

    def found(self) -> tuple[bool, str, str]:
        """Whether they were looked at without a pause; expected and observed, for a check."""
        most_ns = PAUSE_MOST_S * 1e9
        seen = [looks.count and looks.longest_ns <= most_ns for looks in self._looks.values()]
        ok = bool(seen) and all(seen) and not self._died
        expected = f"each looked at while it applies, at most {PAUSE_MOST_S:g} s apart"
        told = [f"{what}: {looks}" for what, looks in self._looks.items()]
        observed = "; ".join(told) or "the drill has no condition"
        return ok, expected, observed + ("; the watch died" if self._died else "")
