"""What a node says where it stands: durations, places, things named twice."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from fireproof.drillfile.findings import At, Findings, Path
from fireproof.drillfile.tree import Items, Node, Scalar, Table, child
from fireproof.drillfile.words import got
from fireproof.model.quantity import parse_duration


def duration(table: Node | None, key: str, default_ns: int | None = None) -> int | None:
    """Nanoseconds of a duration in the file, the default when absent, None when unreadable."""
    node = child(table, key)
    if node is None:
        return default_ns
    try:
        return parse_duration(node.value) if isinstance(node, Scalar) else None
    except ValueError:
        return None


def default_ns(model: type[BaseModel], name: str) -> int:
    return int(model.model_fields[name].default)


def place(table: Table, key: str) -> At:
    """Where a key's value stands, or its mapping when the default holds."""
    node = child(table, key)
    return node.at if node else table.at


def longer_than_nothing(table: Table, path: Path, keys: Iterable[str], findings: Findings) -> None:
    for key in keys:
        node = child(table, key)
        if node is not None and duration(table, key) == 0:
            findings.add(node.at, (*path, key), f"expected more than 0s, got {got(node)}")


def twice(node: Node | None, path: Path, findings: Findings) -> None:
    seen: set[object] = set()
    for index, item in enumerate(node.nodes if isinstance(node, Items) else ()):
        if isinstance(item, Scalar):
            if item.value in seen:
                findings.add(item.at, (*path, index), f"{item.text!r} is named twice")
            seen.add(item.value)
