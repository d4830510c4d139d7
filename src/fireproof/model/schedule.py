"""When a drill or game day is due: five cron fields, a zone, and how late is too late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, WithJsonSchema

from fireproof.model.quantity import Duration
from fireproof.model.strict import Strict

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # 28 years from here hold every kind of year
_LEAP_CYCLE = timedelta(days=28 * 366)
# What cron, systemd, Kubernetes and GitHub all understand alike; L, W, # and seconds are dialects.
_FIELD = re.compile(r"(\*|[0-9]+|[A-Za-z]{3})(-([0-9]+|[A-Za-z]{3}))?(/[0-9]+)?", re.ASCII)
_NAMES = ("minute", "hour", "day of month", "month", "day of week")


class Fields(NamedTuple):
    """The numbers each field allows; weekdays count from Sunday, 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # a day that fits one of the two day fields is enough


def parse_cron(text: str) -> Fields:
    """The fields of a cron text.

    Raises:
        ValueError: what is wrong with it; also when no day there is ever fits.
    """
    parts = text.split()
    if len(parts) != len(_NAMES):
        raise ValueError(
            f"expected five cron fields ({', '.join(_NAMES)}) such as '0 3 * * 1', got {text!r}"
        )
    for name, part in zip(_NAMES, parts, strict=True):
        if not all(_FIELD.fullmatch(piece) for piece in part.split(",")):
            raise ValueError(
                f"expected numbers, names, ranges or steps as the {name}, got {part!r}"
            )
    try:
        found = CronSim(text, _EPOCH)
        first = next(found, None)
    except CronSimError as error:
        # Its author words a day that no month has like a number that no day has.
        if _fits_alone(parts):
            raise ValueError(f"{text!r} never fires: no month it names has such a day") from None
        raise ValueError(f"{text!r}: {str(error).lower()}") from None
    if first is None or first - _EPOCH > _LEAP_CYCLE:
        raise ValueError(f"{text!r} never fires: no month it names has such a day")
    return Fields(
        frozenset(found.minutes),
        frozenset(found.hours),
        frozenset(found.days),
        frozenset(found.months),
        frozenset(int(day) % 7 for day in found.weekdays if isinstance(day, int)),
        not found.day_and,
    )


def _fits_alone(parts: list[str]) -> bool:
    """Whether each field is fine by itself."""
    for index, part in enumerate(parts):
        alone = ["*"] * len(parts)
        alone[index] = part
        try:
            CronSim(" ".join(alone), _EPOCH)
        except CronSimError:
            return False
    return True


def _cron(text: str) -> str:
    parse_cron(text)
    return " ".join(text.split())


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # unknown, a folder, or no name at all
        raise ValueError(
            f"expected a time zone such as UTC or Europe/Berlin, got {name!r}"
        ) from None
    return name


Cron = Annotated[str, AfterValidator(_cron), WithJsonSchema({"type": "string"})]
Zone = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string"})]


class Schedule(Strict):
    """``cron`` in ``timezone``; a run that cannot begin within ``grace`` is a missed run."""

    cron: Cron
    timezone: Zone = "UTC"
    grace: Duration = 3600 * 10**9

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every time it is due after an instant, in UTC, without end."""
        for due in CronSim(self.cron, instant.astimezone(ZoneInfo(self.timezone))):
            yield due.astimezone(UTC)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Times it was due later than ``after`` and not later than ``until``, oldest first."""
        found: list[datetime] = []
        for due in self.after(after):
            if due > until:
                break
            found.append(due)
        return found
