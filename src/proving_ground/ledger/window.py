"""The idempotency window: how long a key may be sent again with the same effect."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.exceptions import HTTPException

from proving_ground.ledger import defects
from proving_ground.ledger.guarded import Driver


class Window:
    """Inside it a duplicate gets the first answer again; outside it is refused, never booked."""

    def __init__(self, store: Driver, seconds: int) -> None:
        self._store, self._seconds = store, seconds

    async def refuse_late(self, tenant: str, key: str, seq: int) -> None:
        """Raise for a duplicate of an event that is older than the window."""
        if defects.on("duplicate-refused"):
            raise HTTPException(409, f"key {key!r} is taken by event {seq}")
        event = await self._store.event(tenant, seq)
        if event is None:  # it was there an instant ago and events are never removed
            raise HTTPException(503, f"event {seq} cannot be read back", {"retry-after": "1"})
        age_s = (datetime.now(UTC) - datetime.fromisoformat(event.created_at)).total_seconds()
        if age_s > self._seconds and not defects.on("window-never-ends"):
            raise HTTPException(
                409,
                f"key {key!r} was used {age_s:.0f} s ago, as event {seq}, outside the idempotency "
                f"window of {self._seconds} s; send a new event under a new key",
            )
