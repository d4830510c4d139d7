"""A schedule against a fake clock and a fake door: which occurrence runs, which is sealed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from fireproof.fleet import Agenda, Entry, catch_up, serve
from fireproof.model.schedule import Schedule
from support.fake_clock import FakeClock

NIGHT = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class FakeDoor:
    """Notes what it is asked; ``refuses`` runs that end before they begin."""

    def __init__(self, *, code: int = 0, refuses: bool = False) -> None:
        self.ran: list[datetime] = []
        self.missed: list[tuple[datetime, str]] = []
        self.promised: list[datetime] = []
        self.traces: set[datetime] = set()
        self.code, self.refuses = code, refuses
        self.stop_after: int | None = None

    def start(self, entry: Entry, due: datetime) -> int:
        self.ran.append(due)
        if not self.refuses:
            self.traces.add(due)
        return self.code

    def promise(self, entry: Entry, since: datetime) -> None:
        self.promised.append(since)

    def miss(self, entry: Entry, due: datetime, why: str) -> None:
        self.missed.append((due, why))

    def began(self, entry: Entry, due: datetime) -> bool:
        return due in self.traces

    def stopped(self) -> bool:
        return self.stop_after is not None and len(self.ran) >= self.stop_after


def entry(cron: str, name: str = "tiny", grace: str = "1h") -> Entry:
    schedule = Schedule(cron=cron, grace=grace)
    return Entry("drill", name, "Tiny", Path(f"drills/{name}.yaml"), schedule, ())


def nightly() -> Entry:
    return entry("0 3 * * *")


def test_nothing_was_promised_before_the_schedule_was_first_asked(tmp_path: Path) -> None:
    """A new installation must not begin with a year of missed runs."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor()

    assert catch_up(nightly(), agenda, FakeClock(NIGHT + DAY), door) is None
    assert (door.ran, door.missed) == ([], [])
    assert agenda.read() == (NIGHT + DAY, None)


def test_the_newest_within_grace_runs_and_each_other_is_missed(tmp_path: Path) -> None:
    """The policy, and the order: what was missed is sealed before the run."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor()
    agenda.write(NIGHT, None)

    code = catch_up(nightly(), agenda, FakeClock(NIGHT + 3 * DAY + timedelta(minutes=59)), door)

    assert code == 0
    assert door.ran == [NIGHT + 3 * DAY]
    assert [due for due, _ in door.missed] == [NIGHT + DAY, NIGHT + 2 * DAY]
    assert agenda.read() == (NIGHT + 3 * DAY, None)


def test_after_its_grace_the_newest_is_missed_too(tmp_path: Path) -> None:
    """A nightly drill does not run at noon because the machine came up then."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor()
    agenda.write(NIGHT, None)

    assert catch_up(nightly(), agenda, FakeClock(NIGHT + DAY + timedelta(minutes=61)), door) is None
    assert door.ran == []
    assert door.missed == [(NIGHT + DAY, "nobody ran it within its grace")]


def test_a_run_that_is_refused_before_its_first_record_is_missed(tmp_path: Path) -> None:
    """Otherwise the occurrence would leave no trace at all."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor(code=3, refuses=True)
    agenda.write(NIGHT, None)

    assert catch_up(nightly(), agenda, FakeClock(NIGHT + DAY), door) == 3
    assert door.missed == [(NIGHT + DAY, "it could not begin: exit code 3")]


@pytest.mark.parametrize("began", [True, False])
def test_a_scheduler_killed_during_a_run_neither_forgets_nor_repeats_it(
    tmp_path: Path, began: bool
) -> None:
    """The run's own guardian sealed it; one that never began is due still."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor()
    agenda.write(NIGHT, NIGHT + DAY)
    if began:
        door.traces.add(NIGHT + DAY)

    catch_up(nightly(), agenda, FakeClock(NIGHT + DAY + timedelta(minutes=5)), door)

    assert door.ran == ([] if began else [NIGHT + DAY])
    assert door.missed == []


def test_killed_while_missed_runs_are_sealed_the_rest_is_found_again(tmp_path: Path) -> None:
    """Each counts as dealt with only once it is sealed."""

    class Dies(FakeDoor):
        def miss(self, entry: Entry, due: datetime, why: str) -> None:
            if len(self.missed) == 1:
                raise KeyboardInterrupt
            super().miss(entry, due, why)

    agenda, dies, door = Agenda(tmp_path, "drill-tiny"), Dies(), FakeDoor()
    agenda.write(NIGHT, None)
    clock = FakeClock(NIGHT + 3 * DAY + timedelta(hours=2))

    with pytest.raises(KeyboardInterrupt):
        catch_up(nightly(), agenda, clock, dies)
    catch_up(nightly(), agenda, clock, door)

    assert [due for due, _ in dies.missed] == [NIGHT + DAY]
    assert [due for due, _ in door.missed] == [NIGHT + 2 * DAY, NIGHT + 3 * DAY]


def test_serving_waits_for_the_next_occurrence_and_runs_each_once(tmp_path: Path) -> None:
    """Three nights in the foreground."""
    agenda, door, clock = Agenda(tmp_path, "drill-tiny"), FakeDoor(), FakeClock(NIGHT)
    door.stop_after = 3

    assert serve([(nightly(), agenda)], clock, door, once=False) == 0
    assert door.ran == [NIGHT + DAY, NIGHT + 2 * DAY, NIGHT + 3 * DAY]
    assert door.missed == []


def test_a_missed_night_of_the_machine_is_noticed_by_the_one_that_serves(tmp_path: Path) -> None:
    """A laptop that slept: the clock jumps two nights between two looks."""

    class Sleeps(FakeClock):
        def wait(self, seconds: float) -> None:
            slept = self.time < NIGHT + DAY
            self.time += timedelta(days=2, hours=5) if slept else timedelta(seconds=seconds)

    agenda, door, clock = Agenda(tmp_path, "drill-tiny"), FakeDoor(), Sleeps(NIGHT)
    door.stop_after = 1

    serve([(nightly(), agenda)], clock, door, once=False)

    assert [due for due, _ in door.missed] == [NIGHT + DAY, NIGHT + 2 * DAY]
    assert door.ran == [NIGHT + 3 * DAY]


class LongRuns(FakeDoor):
    """Each run takes twelve minutes of the clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock

    def start(self, entry: Entry, due: datetime) -> int:
        self.clock.wait(720)
        return super().start(entry, due)


def test_what_falls_due_during_another_run_runs_right_after_it(tmp_path: Path) -> None:
    """Looked at before that run began, it would wait a day and be sealed as missed."""
    clock = FakeClock(NIGHT - timedelta(hours=1))
    door = LongRuns(clock)
    door.stop_after = 4
    five_past = entry("5 3 * * *", "second")

    both = [(five_past, Agenda(tmp_path, "second")), (nightly(), Agenda(tmp_path, "first"))]
    serve(both, clock, door, once=False)

    minutes = timedelta(minutes=5)
    assert door.ran == [NIGHT, NIGHT + minutes, NIGHT + DAY, NIGHT + DAY + minutes]
    assert door.missed == []


def test_a_first_call_of_a_timekeeper_runs_what_it_was_woken_for(tmp_path: Path) -> None:
    """A quarterly day that a fresh timer calls would lose a quarter, and nobody would know."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor(code=1)
    clock = FakeClock(NIGHT + timedelta(seconds=2))

    assert serve([(nightly(), agenda)], clock, door, once=True) == 1
    assert serve([(nightly(), agenda)], clock, door, once=True) == 0
    assert (door.ran, door.promised) == ([NIGHT], [NIGHT])
    assert agenda.read() == (NIGHT, None)


def test_a_first_call_too_late_for_the_newest_notes_the_time(tmp_path: Path) -> None:
    """Who installs a timer at noon has not missed last night."""
    agenda, door, clock = Agenda(tmp_path, "drill-tiny"), FakeDoor(), FakeClock(NIGHT)
    clock.wait(3601)

    assert serve([(nightly(), agenda)], clock, door, once=True) == 0
    assert (door.ran, door.missed) == ([], [])
    assert agenda.read() == (NIGHT + timedelta(seconds=3601), None)


def test_a_first_call_without_its_agenda_does_not_repeat_a_run(tmp_path: Path) -> None:
    """An agenda may be lost, or moved away, while the evidence is still there."""
    agenda, door = Agenda(tmp_path, "drill-tiny"), FakeDoor()
    door.traces.add(NIGHT)

    assert serve([(nightly(), agenda)], FakeClock(NIGHT + DAY / 48), door, once=True) == 0
    assert (door.ran, door.missed) == ([], [])


@pytest.mark.parametrize("once", [True, False])
def test_what_falls_due_behind_a_long_first_run_is_promised(tmp_path: Path, once: bool) -> None:
    """The process was there when it fell due: it runs, or is sealed as missed."""
    clock = FakeClock(NIGHT)
    door = LongRuns(clock)
    door.stop_after = 2
    Agenda(tmp_path, "first").write(NIGHT - DAY, None)
    due = NIGHT - timedelta(minutes=2) if once else NIGHT + timedelta(minutes=2)
    tight = entry(f"{due.minute} {due.hour} * * *", "second", grace="5m")

    both = [(nightly(), Agenda(tmp_path, "first")), (tight, Agenda(tmp_path, "second"))]
    serve(both, clock, door, once=once)

    assert door.missed[:1] == [(due, "nobody ran it within its grace")]


def test_two_schedulers_never_look_after_one_schedule(tmp_path: Path) -> None:
    """The drill would run twice."""
    agenda = Agenda(tmp_path, "drill-tiny")

    with agenda.held(), pytest.raises(EnvironmentRefusal, match="another scheduler"):
        agenda.held().__enter__()


@pytest.mark.parametrize("text", ["", "{}", '{"handled": "yesterday", "begun": null}', "[]", "\0"])
def test_an_agenda_that_cannot_be_read_is_not_taken_for_a_new_one(
    tmp_path: Path, text: str
) -> None:
    """Gaps would be forgotten."""
    agenda = Agenda(tmp_path, "drill-tiny")
    agenda.path.write_text(text)

    with pytest.raises(EnvironmentRefusal, match="cannot be read as an agenda"):
        agenda.read()
