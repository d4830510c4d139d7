"""How far the checkpoints are behind the events, asked of the database at every scrape.

The engine's own metrics vanish with it; these are there when it is not.
"""

from __future__ import annotations

import contextlib
import math
from typing import Protocol

from prometheus_client import Gauge

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.store import Unavailable


class Behind(Protocol):
    """A driver that knows what is signed."""

    async def backlog(self) -> tuple[float, float, float, float]:
        """Events, uncovered ones, age of the oldest of those, age of the newest checkpoint."""
        ...


class Backlog:
    """Four gauges; NaN when the database does not tell, so that unknown is never zero."""

    def __init__(self, store: Behind, meters: Meters) -> None:
        self._store = store
        names = {
            "ledger_events": "events stored",
            "ledger_backlog_events": "events that no checkpoint covers yet",
            "ledger_checkpoint_lag_seconds": "age of the oldest event that no checkpoint covers",
            "ledger_checkpoint_age_seconds": "age of the newest checkpoint",
        }
        self._gauges = [Gauge(name, text, registry=meters.registry) for name, text in names.items()]
        meters.before_showing(self.look)

    async def look(self) -> None:
        """Set the gauges."""
        values: tuple[float, ...] = (math.nan,) * 4
        with contextlib.suppress(Unavailable):  # the requests say so; here it is NaN
            values = await self._store.backlog()
        if defects.on("backlog-reads-zero"):
            values = (values[0], 0.0, 0.0, 0.0)
        for gauge, value in zip(self._gauges, values, strict=True):
            gauge.set(value)
