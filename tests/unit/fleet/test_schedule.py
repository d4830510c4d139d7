from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from fireproof.model.schedule import Schedule, parse_cron


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 2,4,6,9,11 *", "never fires"),
        ("@daily", "expected five cron fields"),
        ("0 3 * *", "expected five cron fields"),
        ("0 0 3 * * 1", "expected five cron fields"),
        ("61 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 3 L * *", "as the day of month, got 'L'"),
        ("0 3 * * 1#2", "as the day of week"),
        ("0 3 * * foo", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("5-1 * * * *", "bad minute"),
        ("", "expected five cron fields"),
    ],
)
def test_a_schedule_that_never_fires_or_means_nothing_is_refused(text: str, said: str) -> None:
    """Whoever wrote it would believe that the drill runs."""
    with pytest.raises(ValidationError, match=said):
        Schedule(cron=text)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "/etc/passwd", "../UTC", "utc+3"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """Else the night drill runs at noon."""
    with pytest.raises(ValidationError, match="expected a time zone"):
        Schedule(cron="0 3 * * *", timezone=zone)


def test_a_leap_day_comes_and_either_day_field_is_enough() -> None:
    """Cron's own rule for two restricted day fields."""
    leap = Schedule(cron="0 0 29 2 *")
    either = Schedule(cron="0 0 13 * 5")

    assert next(leap.after(at("2025-03-01"))) == at("2028-02-29")
    assert parse_cron(either.cron).either_day
    assert either.between(at("2026-11-01"), at("2026-11-14")) == [
        at("2026-11-06"),
        at("2026-11-13"),
    ]


def test_a_night_without_its_hour_is_not_skipped() -> None:
    """On 29 March 2026 there is no 02:30 in Berlin; on 25 October there are two."""
    nightly = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")

    spring = nightly.between(at("2026-03-28T12:00"), at("2026-03-30T12:00"))
    autumn = nightly.between(at("2026-10-24T12:00"), at("2026-10-26T12:00"))

    assert len(spring) == 2
    assert len(autumn) == 2


def test_what_is_due_now_counts_and_what_was_dealt_with_does_not() -> None:
    """The one would be missed, the other run twice."""
    hourly = Schedule(cron="0 * * * *")

    assert hourly.between(at("2026-11-20T01:00"), at("2026-11-20T03:00")) == [
        at("2026-11-20T02:00"),
        at("2026-11-20T03:00"),
    ]
