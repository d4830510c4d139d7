"""When a drill or game day is due, and how late is too late."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from fireproof.model.quantity import Duration
from fireproof.model.strict import Strict

Cron = Annotated[str, StringConstraints(pattern=r"^\S+( +\S+){4}$")]
"""Five fields: minute, hour, day of month, month, day of week."""


class Schedule(Strict):
    """``cron`` in ``timezone``; a run that cannot begin within ``grace`` is a missed run."""

    cron: Cron
    timezone: str = "UTC"
    grace: Duration = 3600 * 10**9
