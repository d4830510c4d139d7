"""The engine's side of the database: events in, checkpoints out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

BATCH_EVENTS = 1000  # about 3 ms of hashing, during which nobody is answered


class Away(Exception):
    """The database gave no answer, or not the one that was needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is hashed."""

    seq: int
    tenant: str
    key: str
    body: str


class Feed(Protocol):
    """Where events come from and checkpoints go; any call may raise ``Away``."""

    async def after(self, seq: int, limit: int = BATCH_EVENTS) -> list[Row]:
        """The next events, by their number."""
        ...

    async def newest_note(self) -> str | None:
        """The newest checkpoint that is stored."""
        ...

    async def store(self, number: int, size: int, note: str) -> None:
        """Make a checkpoint durable; after ``Away`` it may or may not be stored."""
        ...

    async def close(self) -> None: ...


class DatabaseFeed:
    """One connection, opened when it is needed and dropped at the first failure.

    ``append_event`` holds its lock until the commit, so that numbers appear in their order and
    reading on from the last one misses nothing.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._conn: psycopg.AsyncConnection[Any] | None = None

    async def after(self, seq: int, limit: int = BATCH_EVENTS) -> list[Row]:
        sql = "SELECT seq, tenant, key, body FROM events WHERE seq > %s ORDER BY seq LIMIT %s"
        return [Row(*row) for row in await self._rows(sql, (seq, limit))]

    async def newest_note(self) -> str | None:
        rows = await self._rows("SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1", ())
        return str(rows[0][0]) if rows else None

    async def store(self, number: int, size: int, note: str) -> None:
        sql = "INSERT INTO checkpoints (number, size, note) VALUES (%s, %s, %s) RETURNING number"
        await self._rows(sql, (number, size, note))

    async def close(self) -> None:
        conn, self._conn = self._conn, None
        if conn:
            with contextlib.suppress(psycopg.Error):
                await conn.close()

    async def _rows(self, sql: str, params: tuple[Any, ...]) -> list[Any]:
        try:
            if self._conn is None:
                self._conn = await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=2, application_name="merkle-engine"
                )
            return await (await self._conn.execute(sql.encode(), params)).fetchall()
        except psycopg.Error as err:
            await self.close()
            raise Away(str(err).strip().partition("\n")[0]) from err
