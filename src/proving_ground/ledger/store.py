"""The ledger's side of the database: a pool that comes back fast, and bounds on every wait."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
from prometheus_client import Gauge
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from proving_ground.ledger import defects
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.settings import Settings

APPEND_WITHIN_S = 1.5  # a writer that waits longer has gone away
READ_WITHIN_S = 1.0
READY_WITHIN_S = 0.25
_SHOWN = {"size": "pool_size", "idle": "pool_available"}

_CONFLICT = "LC409"  # raised by append_events
_EVENTS = "SELECT seq, tenant, key, body, digest, created_at::text FROM events "

T = TypeVar("T")


class Unavailable(Exception):
    """The database gave no answer in time; ``code`` says why in a word that machines compare."""

    def __init__(self, text: str, code: str = "database-unavailable") -> None:
        super().__init__(text)
        self.code = code


class Conflicting(Exception):
    """A key of a batch holds another body; nothing of the batch was stored."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"a key holds another body, as event {seq}; nothing was stored")


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an append."""

    outcome: str  # appended | same | conflict
    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Event:
    """One stored event."""

    seq: int
    tenant: str
    key: str
    body: str
    digest: str
    created_at: str


def _first_host(dsn: str) -> str:
    """For a defect only: the DSN without the hosts after the first."""
    return re.sub(r"\b(host|port)=([^ ,]+),\S+", r"\1=\2", dsn)


class Store:
    """Appends and reads events."""

    def __init__(
        self, settings: Settings, meters: Meters, dsn: Callable[[], str] | None = None
    ) -> None:
        self._wait_s = settings.pool_wait_ms / 1000
        self._size = settings.pool_size
        endless = self._endless = defects.on("pool-without-bound")
        # The pool's own pause between attempts starts at a second and doubles: after an outage of
        # a minute nobody would be served for half a minute more. With a short limit it gives up
        # at once and the next request makes it try again.
        self._pool = AsyncConnectionPool(
            _first_host(settings.dsn) if defects.on("knows-one-database") else dsn or settings.dsn,
            min_size=min(2, self._size),
            max_size=self._size,
            timeout=60.0 if endless else self._wait_s,
            reconnect_timeout=0.02,
            # No check= before a connection is handed out: after a failed one the pool pauses for a
            # second, and the first request after a restart of the database would be refused. A
            # dead connection shows at its first statement, and _row tries again at once.
            kwargs={"autocommit": True, "connect_timeout": 2},
            open=False,
        )
        self._waiting, self._waiting_max = 0, 10_000 if endless else settings.pool_waiting
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._returning: set[asyncio.Task[None]] = set()
        self._lost: list[Any] = []  # only ever filled by a defect
        for name, stat in _SHOWN.items():
            gauge = Gauge(f"ledger_pool_{name}", f"connections: {name}", registry=meters.registry)
            gauge.set_function(partial(self._stat, stat))
        waiting = Gauge("ledger_pool_waiting", "requests that wait", registry=meters.registry)
        waiting.set_function(lambda: self._waiting)

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        for task in self._abandoned:
            task.cancel()
        await self._pool.close(timeout=1.0)

    async def append(self, tenant: str, key: str, body: str) -> Appended:
        """Store the event, or find it stored; returns after the commit.

        Raises:
            Unavailable: it may or may not be stored; sending it again is safe.
        """
        sql = "SELECT outcome, seq, digest FROM append_event(%s, %s, %s)"
        row = await self._row(sql, (tenant, key, body), APPEND_WITHIN_S)
        if row is None:
            raise Unavailable("the database returned nothing for an append")
        return Appended(*row)

    async def event(self, tenant: str, seq: int) -> Event | None:
        """The event of that tenant with that number."""
        sql = _EVENTS + "WHERE tenant = %s AND seq = %s"
        row = await self._row(sql, (tenant, seq), READ_WITHIN_S)
        return Event(*row) if row else None

    async def backlog(self) -> tuple[float, float, float, float]:
        """Events; those no checkpoint covers; age in seconds of the oldest such event; age of the
        newest checkpoint (of the first event while there is none; 0 in an empty ledger).
        """
        sql = """
            WITH signed AS (SELECT coalesce(max(size), 0) AS size FROM checkpoints),
                 stored AS (SELECT coalesce(max(seq), 0) AS size FROM events)
            SELECT stored.size, stored.size - signed.size,
                   coalesce(extract(epoch FROM clock_timestamp() - (
                       SELECT created_at FROM events WHERE seq = signed.size + 1)), 0)::float8,
                   coalesce(extract(epoch FROM clock_timestamp() - coalesce(
                       (SELECT created_at FROM checkpoints WHERE size = signed.size),
                       (SELECT created_at FROM events WHERE seq = 1))), 0)::float8
            FROM signed, stored"""
        row = await self._row(sql, (), READY_WITHIN_S)
        if row is None:
            raise Unavailable("the database returned nothing for the backlog")
        return (float(row[0]), float(row[1]), row[2], row[3])

    async def events(self, tenant: str, after: int, limit: int) -> list[Event]:
        """The tenant's events after that number, oldest first."""
        sql = _EVENTS + "WHERE tenant = %s AND seq > %s ORDER BY seq LIMIT %s"
        rows = await self.rows(sql, (tenant, after, limit), READ_WITHIN_S)
        return [Event(*row) for row in rows]

    async def event_of_anybody(self, seq: int) -> Event | None:
        """The event with that number, whoever owns it."""
        row = await self._row(_EVENTS + "WHERE seq = %s", (seq,), READ_WITHIN_S)
        return Event(*row) if row else None

    async def append_all(self, tenant: str, events: list[tuple[str, str]]) -> list[Appended]:
        """All or none, in one transaction.

        Raises:
            Conflicting: one key holds another body.
            Unavailable: sending it again is safe.
        """
        keys, bodies = [key for key, _ in events], [body for _, body in events]
        sql = "SELECT outcome, seq, digest FROM append_events(%s, %s, %s)"
        rows = await self.rows(sql, (tenant, keys, bodies), APPEND_WITHIN_S)
        return [Appended(*row) for row in rows]

    async def renew(self) -> None:
        """Every connection anew, those in use when they come back: the login role has changed."""
        await self._pool.drain()

    async def ready(self) -> int:
        """Number of the newest event, through the same pool that serves the writers."""
        row = await self._row("SELECT coalesce(max(seq), 0) FROM events", (), READY_WITHIN_S)
        return int(row[0]) if row else 0

    async def revision(self) -> str | None:
        """Of the schema, as Alembic wrote it down; None in a database it does not know."""
        try:
            row = await self._row("SELECT version_num FROM alembic_version", (), READ_WITHIN_S)
        except Unavailable as err:
            if isinstance(err.__cause__, psycopg.errors.UndefinedTable):
                return None
            raise
        return str(row[0]) if row else None

    async def _row(self, sql: str, params: tuple[Any, ...], within_s: float) -> Any:
        found = await self.rows(sql, params, within_s)
        return found[0] if found else None

    async def rows(
        self, sql: str, params: tuple[Any, ...], within_s: float, *, again: bool = True
    ) -> list[Any]:
        """All rows. A statement that may be repeated safely is, so that a connection that turns out
        to be dead (the server was restarted) costs the caller another try, not an error.
        """
        give_up_at = time.monotonic() + (60.0 if self._endless else within_s)
        while True:
            left_s = give_up_at - time.monotonic()
            try:
                return await self._bounded(self._once(sql, params), left_s)
            except PoolTimeout as err:
                raise self._no_connection() from err
            except TimeoutError as err:
                raise Unavailable(f"no answer from the database: {err}") from err
            except psycopg.OperationalError as err:
                if not again or time.monotonic() >= give_up_at:
                    raise Unavailable(f"the database failed: {err}") from err
            except psycopg.Error as err:
                if err.sqlstate == _CONFLICT:
                    raise Conflicting(int(err.diag.message_detail or 0)) from err
                raise Unavailable(f"the database refused: {err}") from err

    def _stat(self, name: str) -> int:
        return int(self._pool.get_stats().get(name, 0))

    def _no_connection(self) -> Unavailable:
        """The pool is as large as it may be and all of it is busy, or there is no database."""
        if self._stat("pool_size") >= self._size:
            return Unavailable(
                f"all {self._size} connections are busy and {self._waiting} requests wait; "
                "try again in a second",
                "pool-exhausted",
            )
        return Unavailable(f"no connection to the database within {self._wait_s:g} s")

    async def _connection(self) -> Any:
        """One of the pool, unless too many wait for one already.

        Counted here: the pool's own ``max_waiting`` also counts those who gave up while the
        database was away, and then refuses everybody for ever.
        """
        if self._waiting >= self._waiting_max:
            raise self._no_connection()
        self._waiting += 1
        try:
            return await self._pool.getconn()
        finally:
            self._waiting -= 1

    async def _once(self, sql: str, params: tuple[Any, ...]) -> Any:
        conn = await self._connection()
        try:
            return await (await conn.execute(sql, params)).fetchall()
        except asyncio.CancelledError:
            if defects.on("pool-leaks"):
                self._lost.append(conn)
            raise
        finally:
            if conn not in self._lost:
                await self._give_back(conn)

    async def _give_back(self, conn: Any) -> None:
        """In a task of its own: a cancellation on the way back would lose the connection, and one
        by one the pool would be empty for ever.
        """
        task = asyncio.ensure_future(self._pool.putconn(conn))
        self._returning.add(task)  # the loop itself holds it only weakly
        task.add_done_callback(self._returning.discard)
        await asyncio.shield(task)

    async def _bounded(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        """The result, or TimeoutError on time.

        ``asyncio.timeout`` would wait for the cancelled statement, which psycopg first tries to
        cancel on the server: up to ten seconds when that server is stopped. So the caller leaves
        and the statement is ended in the background.
        """
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=max(0.0, within_s))
        if done:
            return task.result()
        self._abandoned.add(task)
        task.add_done_callback(self._forget)
        task.cancel()
        raise TimeoutError(f"nothing within {within_s:.2f} s")

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody warns that it was not
