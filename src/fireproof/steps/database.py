"""Child process that asks a PostgreSQL database; the only file here that knows psycopg.

Requests: ``value`` (one query, once), ``wait`` (one query until it gives a text), ``digest``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, cast

from fireproof.children.answer import (
    TOO_LATE,
    Request,
    Tell,
    TooLateError,
    cut_off,
    look_limit,
    serve,
)

if TYPE_CHECKING:
    import psycopg

Queries = Iterable[tuple[str, LiteralString]]  # the drill's author wrote them
LOOK_NS = 5 * 10**9  # one look of a wait; a frozen server must not use up the whole wait
_MAX_VALUE = 2**20
# Bytes of a digest must depend on the content only, not on who asks.
_PINNED = (
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    ("lc_monetary", "C"),
    ("synchronize_seqscans", "off"),  # otherwise a scan may start in the middle of the table
)


@contextmanager
def _connected(request: Request, until_ns: int) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    left_ms = max(1, (until_ns - time.monotonic_ns()) // 10**6)
    # ``application_name`` tells whoever looks at the server who is asking.
    with psycopg.connect(
        request["dsn"],
        autocommit=True,
        application_name="fireproof",
        connect_timeout=max(2, left_ms // 1000 + 1),
    ) as connection:
        connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(left_ms),))
        yield connection


def _look(request: Request, until_ns: int) -> dict[str, Any]:
    """The answer to one query: ``value`` when it is one single value, and what came in words."""
    import psycopg

    try:
        with look_limit(until_ns), _connected(request, until_ns) as connection:
            cursor = connection.execute(cast(LiteralString, request["query"]))
            while cursor.nextset():
                pass
            result = cursor.pgresult
            if result is None or result.nfields == 0:
                return {"seen": cursor.statusmessage or "no result"}
            if (result.ntuples, result.nfields) != (1, 1):
                return {"seen": f"{result.ntuples} rows of {result.nfields} columns"}
            raw = result.get_value(0, 0)
            if raw is None:
                return {"seen": "NULL"}
            if len(raw) > _MAX_VALUE:
                return {"seen": f"a value of {len(raw)} bytes"}
            value = raw.decode("utf-8", "replace")
            return {"seen": repr(value), "value": value}
    except TooLateError:
        return {"error": TOO_LATE, "asked": False}
    except psycopg.Error as err:
        text = (err.diag.message_primary or str(err) or type(err).__name__).strip()
        return {"error": text, "asked": err.sqlstate is not None}


def _wait(request: Request, tell: Tell) -> None:
    """Look again and again until the value is the expected one, or no time is left."""
    deadline, told = request["deadline_ns"], None
    while True:
        started = time.monotonic_ns()
        seen = _look(request, min(deadline, started + LOOK_NS))
        seen["met"] = seen.get("value") == request["expect"]
        # A look that the deadline cut short tells less than the one before it.
        if seen != told and not (told and deadline < started + LOOK_NS and cut_off(seen)):
            tell(seen)
            told = seen
        next_ns = max(started + request["every_ns"], time.monotonic_ns())
        if seen["met"] or next_ns >= deadline:
            return
        time.sleep(max(0, next_ns - time.monotonic_ns()) / 1e9)


def _digest(request: Request, tell: Tell) -> None:
    """sha256 and rows of each query, all in one snapshot, streamed."""
    import psycopg

    until, digests, label = request["deadline_ns"], {}, ""
    try:
        with look_limit(until), _connected(request, until) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for name, value in _PINNED:
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            for label, query in sorted(cast(Queries, request["queries"].items())):
                sha, rows = hashlib.sha256(), 0
                bare = query.strip().rstrip(";")
                copy_sql = f"COPY ({bare}\n) TO STDOUT"  # the line break ends a comment of theirs
                with connection.cursor() as cursor, cursor.copy(copy_sql) as stream:
                    for block in stream:
                        sha.update(block)
                        rows += bytes(block).count(b"\n")  # text format: one bare newline a row
                digests[label] = {"sha256": sha.hexdigest(), "rows": rows}
            connection.execute("COMMIT")
    except TooLateError:
        tell({"error": f"{label}: {TOO_LATE}", "asked": False})
    except psycopg.Error as err:
        text = (err.diag.message_primary or str(err) or type(err).__name__).strip()
        where = f"{label}: " if label else ""
        tell({"error": where + text, "asked": err.sqlstate is not None})
    else:
        tell({"digests": digests})


def work(request: Request, tell: Tell) -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return tell({"needs": "psycopg"})
    if request["what"] == "value":
        return tell(_look(request, request["deadline_ns"]))
    return (_wait if request["what"] == "wait" else _digest)(request, tell)


if __name__ == "__main__":
    serve(work)
