"""A clock that only moves when somebody waits."""

from __future__ import annotations

from datetime import datetime, timedelta


class FakeClock:
    """For schedules: nights pass in no time."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
