"""A load on the system under drill, and what may be promised about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fireproof.model.profile import PROFILES, SOAK_NS, SOAK_RATE, ProfileName, peak
from fireproof.model.profile import Stage as Stretch
from fireproof.model.promise import Promise
from fireproof.model.quantity import Duration, Rate, Share
from fireproof.model.strict import ControlId, Name, Row, Strict, unsaid

_FEWEST_USERS, _MOST_USERS = 50, 2000
PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
_CONFIDENCE = 0.95
_STALL_S = 3.0  # of answers that do not come, before slots go unsent for want of a user

During = Literal["drill", "baseline", "fault", "recovered"]
"""``baseline``: before the first harm; ``fault``: from there until recovery was declared;
``recovered``: after that; ``drill``: all of it."""
Status = Annotated[int, Field(ge=100, le=599)]
Weight = Annotated[int, Field(ge=1, le=1000)]
PerHour = Annotated[
    str,
    StringConstraints(pattern=r"^\d{1,15}(\.\d{1,9})?( ?(B|kB|MB|GB|KiB|MiB|GiB))?/h$"),
]
"""``10MiB/h`` for memory, ``5/h`` for what is counted."""


class Stage(Strict):
    """``{for: 2m, rate: 5/s, to: 100/s}``; without ``to`` the rate stays."""

    for_: Duration = Field(alias="for")
    rate: Rate
    to: Rate | None = None


class Load(Strict):
    """Requests at due times that no answer can move, by the users of a locustfile."""

    locustfile: str
    target: str  # what relative URLs of the locustfile start with
    profile: ProfileName | None = None
    for_: Duration | None = Field(default=None, alias="for")  # of a soak
    rate: Rate | None = None  # of a soak
    stages: tuple[Stage, ...] = ()  # instead of a profile
    scenarios: Mapping[Name, Weight] = {}  # none: every class of the file, by its own weight
    users: int | None = Field(default=None, ge=1, le=20_000)  # most requests in flight
    workers: int = Field(default=0, ge=0, le=32)  # 0: one process, no Locust master
    timeout: Duration = 10 * 10**9
    starts: Literal["baseline", "fault", "recover", "verify"] = "baseline"
    whole: bool = False  # the drill waits at the end of verify until the profile is over
    headers: Mapping[str, str] = {}
    options: Mapping[str, str] = {}  # the locustfile's own command-line options, without --

    def shape(self) -> tuple[Stretch, ...]:
        """Its stages, whichever way they were told."""
        if self.profile is None:
            return tuple(
                Stretch(one.for_, one.rate, one.rate if one.to is None else one.to)
                for one in self.stages
            )
        if self.profile != "soak":
            return PROFILES[self.profile]
        rate = SOAK_RATE if self.rate is None else self.rate
        return (Stretch(SOAK_NS if self.for_ is None else self.for_, rate, rate),)

    def label(self) -> str:
        """What the record calls it: a soak cut short is a smoke."""
        if self.profile == "soak" and self.for_ is not None and self.for_ < SOAK_NS:
            return "smoke"
        return self.profile or "stages"

    def most_users(self) -> int:
        """How many requests may be in flight: a stall of three seconds at the highest rate."""
        if self.users is not None:
            return self.users
        return max(_FEWEST_USERS, min(_MOST_USERS, math.ceil(_STALL_S * peak(self.shape()))))


class Limits(Strict):
    """Every limit that is given is kept; percentiles are of all requests sent in the window."""

    p50: Duration | None = None
    p95: Duration | None = None
    p99: Duration | None = None
    p999: Duration | None = Field(default=None, alias="p99.9")
    errors: Share | None = None
    rate: Rate | None = None  # good answers a second, at least
    concurrency: int | None = Field(default=None, ge=1)  # in flight, at least

    def percentiles(self) -> dict[str, int | None]:
        """Limits of latency in nanoseconds, by the names of ``PERCENTILES``."""
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99, "p99.9": self.p999}


def fewest(share: float) -> int:
    """How many samples it takes to speak of a share of all: with fewer, not even the worst one
    bounds that percentile with 95 % confidence (0.5: 5, 0.95: 59, 0.99: 299, 0.999: 2995).
    """
    return math.ceil(math.log(1 - _CONFIDENCE) / math.log(share)) if 0 < share < 1 else 1


class Observed(Promise):
    """Which requests of which load."""

    from_: Name = Field(alias="from")
    scenario: Name | None = None
    during: During = "drill"
    after: Duration = 0  # left out at the start of that window: a spike's recovery, for example
    until: Duration | None = None  # and from here on, counted from the window's start too
    shed: tuple[Status, ...] = ()  # refusals that are a promise kept: neither error nor latency
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class Slo(Observed):
    """Latency from the intended start, errors, achieved rate and concurrency."""

    slo: Limits
    at_least: Duration | None = Field(default=None, alias="at-least")  # length of the samples


class Counted(Strict):
    """How many may fail of how many, and how long clients may go without a good answer."""

    failed: int = Field(ge=0)
    at_least: int = Field(alias="at-least", ge=1)
    gap: Duration | None = None


class Requests(Observed):
    """Every request counts: failed 0 of N, and the longest gap between good answers."""

    requests: Counted


class Growth(Promise):
    """A slope with its confidence interval; met only if all of it is within the limit."""

    growth: Literal["rss", "handles", "threads", "connections"]
    limit: PerHour
    from_: Name = Field(alias="from")  # a `resources` probe
    during: During = "drill"
    after: Duration = 0  # left out at the start of that window: caches fill
    at_least: Duration | None = Field(default=None, alias="at-least")
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)
