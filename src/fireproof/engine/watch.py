"""Abort conditions, looked at all the time, and how often that was."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence

from fireproof.clock import monotonic_ns
from fireproof.model.drill import AbortWhen
from fireproof.model.ports import RunningLoad, RunningProbe

_EVERY_S = 0.2
PAUSE_MOST_S = 2.0  # longer, and the harm had gone on unseen; a busy machine costs some tenths
_CONDITION = re.compile(r"([a-z0-9-]+)\.errors > (\d+)( before fault)?")
_BEFORE_FAULT = ("open", "preflight", "baseline")

Watched = Mapping[str, RunningProbe | RunningLoad]


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
        self._seen: dict[str, int] = {}
        self._held: list[str] = []
        self._looks = self._longest_ns = self._last_ns = 0

    def run(self, over: threading.Event) -> None:
        """Until then; for a thread of its own."""
        self._last_ns = monotonic_ns()
        while not over.wait(_EVERY_S):
            self.look(monotonic_ns())

    def look(self, now_ns: int) -> None:
        """Once at every condition."""
        if self._looks:
            self._longest_ns = max(self._longest_ns, now_ns - self._last_ns)
        self._last_ns = now_ns
        self._looks += 1
        watched = self._watched()
        for match in self._conditions:
            source = watched.get(match[1])
            if source is None or (match[3] and self._phase() not in _BEFORE_FAULT):
                continue
            errors = source.errors()
            self._seen[match[0]] = errors
            if errors > int(match[2]):
                self._held.append(match[0])
                self._stop(f"abort condition {match[0]!r}: {errors} errors", "abort-condition")

    def found(self) -> tuple[bool, str, str]:
        """Whether they were looked at without a pause; expected and observed, for a check."""
        pause_s = self._longest_ns / 1e9
        never = [match[0] for match in self._conditions if match[0] not in self._seen]
        seen = [f"{what}: {errors} errors" for what, errors in self._seen.items()]
        seen += [f"{what}: never looked at" for what in never]
        seen += [f"{what}: held, and ended the run" for what in dict.fromkeys(self._held)]
        ok = bool(self._conditions) and not never and pause_s <= PAUSE_MOST_S
        expected = f"each looked at all the time, at most {PAUSE_MOST_S:g} s apart"
        observed = f"{self._looks} looks, at most {pause_s:.2f} s apart; {'; '.join(seen)}"
        return ok, expected, observed
