"""Canonical JSON: one value, one sequence of bytes (RFC 8785)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from fireproof.errors import MalformedError

MAX_BYTES = 64 * 1024 * 1024  # a statement over 1,000 files is 200 kB; more than this is an attack
_SAFE_INTEGER = 2**53 - 1


def canonical_bytes(value: object) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises:
        MalformedError: for what JSON cannot hold exactly: NaN, lone surrogates, keys that are not
            text, integers beyond 2**53 (write nanoseconds since 1970 as text).
    """
    import rfc8785

    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # refuses what is not JSON itself
    except (ValueError, TypeError, RecursionError) as error:
        where = _large_integer(value, "") or "value"
        raise MalformedError(f"{where}: has no canonical JSON: {error}") from error


def parse_canonical(data: bytes, name: str) -> Any:
    """Value of canonical JSON bytes; every other spelling of the same value is refused.

    Args:
        data: whole file.
        name: what to call it in errors.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=_number,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{name}: not JSON: {error}") from error
    try:
        again = canonical_bytes(value)
    except MalformedError as error:
        raise MalformedError(f"{name}: {error}") from error
    if again != data:
        at = next((i for i, (a, b) in enumerate(zip(data, again, strict=False)) if a != b), None)
        at = min(len(data), len(again)) if at is None else at
        raise MalformedError(f"{name}: not in canonical form from byte {at} on (RFC 8785)")
    return value


def parse_canonical_object(data: bytes, name: str) -> dict[str, Any]:
    """Like ``parse_canonical``, for files that hold one object."""
    value = parse_canonical(data, name)
    if not isinstance(value, dict):
        raise MalformedError(f"{name}: expected an object, got {type(value).__name__}")
    return value


def differences(
    stored: object,
    again: object,
    path: str = "",
    limit: int = 8,
    words: tuple[str, str] = ("is stored", "is recomputed"),
) -> list[str]:
    """Where two JSON values part, as ``objectives.0.verdict: 'met' is stored, 'missed' is ...``."""
    if isinstance(stored, dict) and isinstance(again, dict):
        pairs = [(str(key), stored.get(key), again.get(key)) for key in sorted({*stored, *again})]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(stored, again, strict=True))]
    elif type(stored) is type(again) and stored == again:
        return []
    else:
        return [f"{path or 'value'}: {_short(stored)} {words[0]}, {_short(again)} {words[1]}"]
    found: list[str] = []
    for key, one, other in pairs:
        below = f"{path}.{key}" if path else key
        found += differences(one, other, below, limit - len(found), words)
        if len(found) >= limit:
            break
    return found[:limit]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return found


def _number(text: str) -> int | float:
    """Every JSON number is a double; past 2**53 the canonical text of one looks like an integer."""
    number = float(text)
    return int(text) if abs(number) <= _SAFE_INTEGER else number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _large_integer(value: object, path: str) -> str | None:
    """Path of the first integer that a double cannot hold exactly."""
    if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
        return path or "value"
    if isinstance(value, Mapping):
        pairs = [(str(key), child) for key, child in value.items()]
    elif isinstance(value, (list, tuple)):
        pairs = [(str(i), child) for i, child in enumerate(value)]
    else:
        return None
    inside = (_large_integer(child, f"{path}.{key}" if path else key) for key, child in pairs)
    return next((found for found in inside if found), None)
