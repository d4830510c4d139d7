"""What a playbook hands back through its outputs folder: ``checks.json`` and ``saved``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireproof.model.ports import Check
from fireproof.steps.outputs import MAX_SAVED_BYTES, read_plain

_MAX_CHECKS_BYTES = 2**20
_KEYS = {"name", "ok", "expected", "observed"}


@dataclass(frozen=True, slots=True)
class Handback:
    """Checks and value; ``problem`` says why they cannot be trusted, and then there are none."""

    checks: tuple[Check, ...] = ()
    saved: str | None = None
    problem: str = ""


class _NotChecksError(ValueError):
    pass


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _NotChecksError("a key stands twice")
    return dict(pairs)


def _check(one: Any, number: int) -> Check:
    if not isinstance(one, dict) or set(one) != _KEYS:
        wanted = ", ".join(sorted(_KEYS))
        raise _NotChecksError(f"entry {number}: expected an object with exactly {wanted}")
    for key in sorted(_KEYS - {"ok"}):
        if not isinstance(one[key], str):
            raise _NotChecksError(f"entry {number}: {key}: expected text, got {one[key]!r}")
    if not one["name"].strip():
        raise _NotChecksError(f"entry {number}: name: expected a name, got {one['name']!r}")
    if one["ok"] is not None and not isinstance(one["ok"], bool):
        raise _NotChecksError(
            f"entry {number}: ok: expected true, false or null, got {one['ok']!r}"
        )
    return Check(one["name"], one["ok"], one["expected"], one["observed"])


def parse_checks(data: bytes) -> tuple[Check, ...]:
    """Checks of a ``checks.json``.

    Raises:
        ValueError: when it is anything but a list of whole checks with different names.
    """
    found = json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins)
    if not isinstance(found, list):
        raise _NotChecksError(f"expected a list, got {type(found).__name__}")
    checks = tuple(_check(one, number) for number, one in enumerate(found))
    names = [check.name for check in checks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _NotChecksError(f"two checks are named {twice[0]!r}")
    return checks


def read_handback(folder: Path) -> Handback:
    """What stands in an outputs folder; both files may be missing."""
    checks: tuple[Check, ...] = ()
    if _is_there(folder / "checks.json"):
        data = read_plain(folder / "checks.json", _MAX_CHECKS_BYTES)
        if data is None:
            return Handback(problem="checks.json is not a plain file of at most 1 MiB")
        try:
            checks = parse_checks(data)
        except (ValueError, RecursionError) as err:  # UnicodeDecodeError and JSON errors included
            return Handback(problem=f"checks.json is not what it should be: {err}")
    if not _is_there(folder / "saved"):
        return Handback(checks)
    value = read_plain(folder / "saved", MAX_SAVED_BYTES)
    try:
        text = None if value is None else value.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = None
    if text is None:
        return Handback(problem="saved is not a plain UTF-8 file of at most 64 KiB")
    return Handback(checks, text)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
