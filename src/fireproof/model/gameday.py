"""A game day: several drills, in order or side by side, and the rules between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator

from fireproof.model.params import Profile, Value
from fireproof.model.quantity import Duration
from fireproof.model.schedule import Schedule
from fireproof.model.strict import Name, Row, Strict, Text, unsaid

GAMEDAY_PLAN_FORMAT = "fireproof-gameday-plan/v1"

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = get_args(Day)
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Stopper = Literal["failed", "inconclusive", "aborted"]
"""Outcomes that may stop the line; ``aborted-dirty`` always does, and so does a signal."""


class Window(Strict):
    """When the game day may begin; one that ends before it begins goes past midnight."""

    days: tuple[Day, ...] = _DAYS
    from_: TimeOfDay = Field(alias="from")
    until: TimeOfDay
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            text = f"expected a time zone such as UTC or Europe/Berlin, got {name!r}"
            raise ValueError(text) from None
        return name

    def holds(self, now: datetime) -> bool:
        """Whether an instant lies in it."""
        local = now.astimezone(ZoneInfo(self.timezone))
        time = f"{local:%H:%M}"
        today = _DAYS[local.weekday()] in self.days
        if self.from_ < self.until:
            return today and self.from_ <= time < self.until
        yesterday = _DAYS[(local - timedelta(days=1)).weekday()] in self.days
        return (today and time >= self.from_) or (yesterday and time < self.until)

    def __str__(self) -> str:
        return f"{', '.join(self.days)} from {self.from_} until {self.until} {self.timezone}"


class Entry(Strict):
    """One drill of the day, with what it is asked for."""

    drill: Name
    params: Mapping[Name, Value] = {}
    profile: Profile | None = None  # default: the game day's


class Group(Strict):
    """Drills that run side by side; they share no component."""

    parallel: tuple[Name | Entry, ...] = Field(min_length=2)


class Budget(Strict):
    """How long the whole day may take, so that a short pack stays one."""

    within: Duration
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class Apart(Strict):
    """The game day with the long tests: other profile, other schedule."""

    from_: Name = Field(alias="from")
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class GameDay(Strict):
    """Drills by the names of their files, in order; a group goes on when all of it has ended."""

    gameday: Name
    title: str
    drills: tuple[Name | Entry | Group, ...] = Field(min_length=1)
    profile: Profile = "full"
    # ``each``: every group begins in a fresh lab; a restored database ships no WAL any more, for
    # example. Says nothing where the environment is not the lab.
    lab: Literal["one", "each"] = Field(default="one", exclude_if=lambda lab: lab == "one")
    window: Window | None = None
    roles: Mapping[Name, Text] = {}
    stop: tuple[Stopper, ...] = Field(default=(), alias="stop-the-line")
    budget: Budget | None = Field(default=None, exclude_if=unsaid)
    apart: Apart | None = Field(default=None, exclude_if=unsaid)
    runbook: Text | None = Field(default=None, exclude_if=unsaid)
    schedule: Schedule | None = Field(default=None, exclude_if=unsaid)

    def groups(self) -> Iterator[tuple[Entry, ...]]:
        """What runs together, in order; most groups are of one."""
        for item in self.drills:
            many = item.parallel if isinstance(item, Group) else (item,)
            yield tuple(Entry(drill=one) if isinstance(one, str) else one for one in many)


class Member(Strict):
    """One drill of a game day as planned; ``run`` is the id that its run will have."""

    name: str  # of the drill, and a number from the second time on
    drill: Name
    run: str
    group: int
    profile: Profile
    params: Mapping[str, str] = {}
    components: tuple[Name, ...]


class Other(Strict):
    """What another game day's file says of when and how it runs."""

    profile: Profile
    schedule: Schedule | None = None


class Place(Strict):
    """The environment, as far as a game day is concerned; each drill's plan holds all of it."""

    environment: str
    class_: str = Field(alias="class")
    identity: str


class GameDayPlan(Strict):
    """What will be run, frozen and signed before the first drill."""

    format: str = GAMEDAY_PLAN_FORMAT
    run: str
    created_at: str
    gameday: GameDay
    gameday_file: str
    environment: Place
    members: tuple[Member, ...]
    others: Mapping[Name, Other] = Field(default={}, exclude_if=unsaid)  # that `apart` names
    procedures: Mapping[str, str]  # game-day file and drill files: sha256
    tool: Mapping[str, str]
