"""The audit log in the database, shared by every instance of the service."""

from __future__ import annotations

from dataclasses import astuple

from fireproof.clock import utc_label
from proving_ground.ledger.audit import Entry, Happening
from proving_ground.ledger.store import Store, Unavailable

_RECORD_WITHIN_S = 1.0


class AuditTable:
    """Entries of the table ``audit``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, happening: Happening) -> Entry:
        """The entry, committed.

        Raises:
            Unavailable: it may or may not be stored.
        """
        texts = [utc_label(), *astuple(happening)]
        rows = await self._store.rows(
            "SELECT * FROM append_audit(%s)", (texts,), _RECORD_WITHIN_S, again=False
        )
        if not rows:
            raise Unavailable("the database returned nothing for an audit entry")
        return Entry(*rows[0])

    async def entries(self, tenant: str, after: int, limit: int) -> list[Entry]:
        sql = "SELECT * FROM audit WHERE tenant = %s AND seq > %s ORDER BY seq LIMIT %s"
        rows = await self._store.rows(sql, (tenant, after, limit), _RECORD_WITHIN_S)
        return [Entry(*row) for row in rows]
