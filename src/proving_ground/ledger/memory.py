"""The driver that keeps events in memory: same answers, same chain, nothing after a restart."""

from __future__ import annotations

import asyncio
import datetime

from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.ledger.store import Appended, Conflicting, Event


class MemoryStore:
    """Events of one process."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._by_key: dict[tuple[str, str], Event] = {}
        self._one_at_a_time = asyncio.Lock()

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def ready(self) -> int:
        return len(self._events)

    async def revision(self) -> str | None:
        """There is no schema."""
        return None

    async def append(self, tenant: str, key: str, body: str) -> Appended:
        async with self._one_at_a_time:
            return self._append(tenant, key, body)

    async def append_all(self, tenant: str, events: list[tuple[str, str]]) -> list[Appended]:
        """All or none.

        Raises:
            Conflicting: one key holds another body.
        """
        async with self._one_at_a_time:
            kept = len(self._events)
            done = [self._append(tenant, key, body) for key, body in events]
            wrong = next((each for each in done if each.outcome == "conflict"), None)
            if wrong:
                for event in self._events[kept:]:
                    del self._by_key[event.tenant, event.key]
                del self._events[kept:]
                raise Conflicting(wrong.seq)
            return done

    async def event(self, tenant: str, seq: int) -> Event | None:
        found = await self.event_of_anybody(seq)
        return found if found and found.tenant == tenant else None

    async def event_of_anybody(self, seq: int) -> Event | None:
        return self._events[seq - 1] if 0 < seq <= len(self._events) else None

    async def events(self, tenant: str, after: int, limit: int) -> list[Event]:
        return [each for each in self._events[after:] if each.tenant == tenant][:limit]

    def _append(self, tenant: str, key: str, body: str) -> Appended:
        old = self._by_key.get((tenant, key))
        if old:
            return Appended("same" if old.body == body else "conflict", old.seq, old.digest)
        previous = self._events[-1].digest if self._events else GENESIS
        seq = len(self._events) + 1
        digest = event_digest(previous, seq, tenant, key, body)
        now = str(datetime.datetime.now(datetime.UTC))
        event = Event(seq, tenant, key, body, digest, now)
        self._events.append(event)
        self._by_key[tenant, key] = event
        return Appended("appended", seq, digest)
