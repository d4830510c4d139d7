r"""A whole ledger as it is stored, from a database or from a file of JSON lines.

A file holds one object a line, events by their number first, then checkpoints by theirs::

    {"seq": 1, "tenant": "t", "key": "k", "body": "b", "digest": "9f..."}
    {"number": 1, "note": "ledger.example/lab\n1\n..."}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proving_ground.merkle.refusal import Refused


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with the digest that the database gave it."""

    seq: int
    tenant: str
    key: str
    body: str
    digest: str


@dataclass(frozen=True, slots=True)
class LoggedNote:
    """A checkpoint with the number it is stored under."""

    number: int
    note: str


@dataclass(frozen=True, slots=True)
class StoredLog:
    """Everything that a replay needs, in the order it was stored."""

    events: Sequence[LoggedEvent]
    notes: Sequence[LoggedNote]


def read_database(dsn: str) -> StoredLog:
    """Events and checkpoints of one instant.

    Raises:
        psycopg.Error: the database did not answer, or is no ledger.
    """
    import psycopg
    from psycopg import IsolationLevel

    with psycopg.connect(dsn) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ  # else the two reads may disagree
        conn.read_only = True
        events = conn.execute("SELECT seq, tenant, key, body, digest FROM events ORDER BY seq")
        found = [LoggedEvent(*row) for row in events]
        notes = conn.execute("SELECT number, note FROM checkpoints ORDER BY number")
        return StoredLog(found, [LoggedNote(*row) for row in notes])


def read_file(path: Path) -> StoredLog:
    """What ``write_file`` wrote, in the order of its lines.

    Raises:
        OSError: it cannot be read.
        Refused: ``malformed``, with the line.
    """
    events: list[LoggedEvent] = []
    notes: list[LoggedNote] = []
    with path.open(encoding="utf-8") as file:
        for place, line in enumerate(file, start=1):
            try:
                if not line.endswith("\n"):
                    raise ValueError("the last line is torn")
                row: Any = json.loads(line)
                if set(row) == {"number", "note"}:
                    notes.append(LoggedNote(_number(row["number"]), _text(row["note"])))
                elif notes:
                    raise ValueError("an event after the first checkpoint")
                else:
                    seq = _number(row.pop("seq"))
                    texts = {name: _text(value) for name, value in row.items()}
                    events.append(LoggedEvent(seq, **texts))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
                why = f"{path}:{place}: neither event nor checkpoint: {err}"
                raise Refused("malformed", why) from err
    return StoredLog(events, notes)


def write_file(log: StoredLog, path: Path) -> None:
    """A copy that a replay can be shown instead of the database."""
    with path.open("w", encoding="utf-8") as file:
        rows: list[LoggedEvent | LoggedNote] = [*log.events, *log.notes]
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=True) + "\n")


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"expected a number, got {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, got {value!r}")
    return value
