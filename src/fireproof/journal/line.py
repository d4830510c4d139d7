"""One journal record as one line of bytes, and back."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from fireproof.errors import MalformedError
from fireproof.model.record import KINDS, Record

FIRST_PREV: Final = "0" * 64
_FIELDS = {"seq", "at", "mono_ns", "kind", "data", "prev", "sum"}


def _dumps(value: Any) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def encode(seq: int, at: str, mono_ns: int, kind: str, data: dict[str, Any], prev: str) -> Record:
    """A new record whose sum covers everything else in its line.

    Raises:
        ValueError: for a kind or a set of data keys that ``model.record.KINDS`` does not list;
            a writer's mistake must not reach the disk.
    """
    if kind not in KINDS or set(data) != set(KINDS[kind].split()):
        raise ValueError(f"record {kind!r} takes {KINDS.get(kind)!r}, got {sorted(data)}")
    body = {"seq": seq, "at": at, "mono_ns": mono_ns, "kind": kind, "data": data, "prev": prev}
    digest = hashlib.sha256(_dumps(body).encode()).hexdigest()
    return Record(seq, at, mono_ns, kind, data, prev, digest)


def to_bytes(record: Record) -> bytes:
    """The line, newline included."""
    body = {name: getattr(record, name) for name in _FIELDS}
    return _dumps(body).encode() + b"\n"


def parse(line: bytes, seq: int, prev: str) -> Record:
    """The record of a line, which must be number ``seq`` after a line with sum ``prev``.

    Raises:
        MalformedError: when it is not exactly what ``to_bytes`` writes, or does not follow.
    """
    where = f"journal line {seq + 1}"
    try:
        value = json.loads(line)
    except ValueError as error:
        raise MalformedError(f"{where}: not JSON") from error
    if not isinstance(value, dict) or set(value) != _FIELDS or not isinstance(value["data"], dict):
        raise MalformedError(f"{where}: not a journal record")
    try:
        record = encode(
            value["seq"], value["at"], value["mono_ns"], value["kind"], value["data"], value["prev"]
        )
    except (ValueError, TypeError) as error:
        raise MalformedError(f"{where}: {error}") from error
    if record.seq != seq or record.prev != prev:
        raise MalformedError(f"{where}: does not follow the line before")
    if record.sum != value["sum"] or to_bytes(record) != line:
        raise MalformedError(f"{where}: content and sum differ")
    return record
