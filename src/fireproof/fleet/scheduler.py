"""One machine, one foreground process: runs what is due and seals what was missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fireproof.fleet.agenda import Agenda
from fireproof.fleet.entry import Entry
from fireproof.model.verdict import heaviest_exit

LOOK_S = 30.0  # a machine that slept, or whose clock was set, is noticed within this
_TICK = timedelta(microseconds=1)


class Clock(Protocol):
    """The time of day, and waiting for it."""

    def now(self) -> datetime: ...
    def wait(self, seconds: float) -> None: ...


class Door(Protocol):
    """What the command line lets a schedule do."""

    def start(self, entry: Entry, due: datetime) -> int:
        """Run it now; its exit code."""
        ...

    def promise(self, entry: Entry, since: datetime) -> None:
        """Say that this schedule was never asked before, and what is promised from now on."""
        ...

    def miss(self, entry: Entry, due: datetime, why: str) -> None:
        """Seal the occurrence as missed, idempotently."""
        ...

    def began(self, entry: Entry, due: datetime) -> bool:
        """Whether a run of this occurrence left a trace in the evidence."""
        ...

    def stopped(self) -> bool:
        """Whether somebody asked this process to end."""
        ...


class WallClock:
    """The machine's clock; ``pause`` waits and may return early."""

    def __init__(self, pause: Callable[[float], None]) -> None:
        self._pause = pause

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        self._pause(seconds)


def catch_up(entry: Entry, agenda: Agenda, clock: Clock, door: Door) -> int | None:
    """Deal with every occurrence up to now; the exit code if one was run.

    The newest one runs if its grace is not over. Each other one is sealed as missed, oldest
    first, and counts as dealt with only then: killed in between, the rest is found again.
    """
    now = clock.now()
    handled, begun = _known(entry, agenda, now, door, once=False)
    if begun is not None and begun > handled and door.began(entry, begun):
        handled = begun  # we were killed while it ran; its own guardian has sealed it
        agenda.write(handled, None)
    due = entry.schedule.between(handled, now)
    grace = _grace(entry)
    for one in due:
        if door.stopped():
            return None
        if one is due[-1] and now - one <= grace:
            agenda.write(handled, one)
            code = door.start(entry, one)
            if not door.began(entry, one):  # refused before its first record
                door.miss(entry, one, f"it could not begin: exit code {code}")
            agenda.write(one, None)
            return code
        late = "nobody ran it within its grace" if one is due[-1] else "a later one was due already"
        door.miss(entry, one, late)
        handled = one
        agenda.write(handled, None)
    return None


def serve(entries: Sequence[tuple[Entry, Agenda]], clock: Clock, door: Door, *, once: bool) -> int:
    """Catch up with every entry, then wait for the next occurrence, until stopped.

    A schedule that was never asked before has promised nothing yet; with ``once`` somebody was
    told to wake us, so the newest occurrence counts if its grace is not over.

    Returns:
        With ``once``: the heaviest exit code of what ran, 0 when nothing was due. Otherwise 0 at
        the end: each run has said its own code, and sealed it.
    """
    for entry, agenda in entries:  # each, before a run takes its time
        _known(entry, agenda, clock.now(), door, once=once)
    while True:
        looked_at = clock.now()  # what falls due while this pass runs something is due after it
        codes = [
            code
            for entry, agenda in entries
            if (code := catch_up(entry, agenda, clock, door)) is not None
        ]
        if once:
            return heaviest_exit(codes) if codes else 0
        if door.stopped():
            return 0
        coming = min(next(entry.schedule.after(looked_at)) for entry, _ in entries)
        while not door.stopped() and (left := (coming - clock.now()).total_seconds()) > 0:
            clock.wait(min(left, LOOK_S))


def _known(
    entry: Entry, agenda: Agenda, now: datetime, door: Door, *, once: bool
) -> tuple[datetime, datetime | None]:
    """What the agenda says; one that is not there yet begins now, or with what we were woken for.

    That one may have begun: an agenda can be lost while the evidence of its run is not.
    """
    if (known := agenda.read()) is not None:
        return known
    known = (now, None)
    if once and (due := entry.schedule.between(now - _grace(entry) - _TICK, now)):
        known = (due[-1] - _TICK, due[-1])
    agenda.write(*known)
    door.promise(entry, known[1] or now)
    return known


def _grace(entry: Entry) -> timedelta:
    return timedelta(microseconds=entry.schedule.grace / 1000)
