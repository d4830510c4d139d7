"""Steps and faults: which kind an entry is, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fireproof.drillfile.findings import Findings, Path, shown
from fireproof.drillfile.tree import Broken, Items, Node, Table
from fireproof.drillfile.validate import keys_at, validate
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import closest, either, got, suggestion
from fireproof.model.drill import FaultParams, StepParams, Use

NAME = re.compile(r"[a-z][a-z0-9-]*")  # a path or a command is no component
_COMMON = keys_at(FaultParams, ())  # what any entry may carry; never its kind


@dataclass(frozen=True, slots=True)
class PlacedUse:
    """An entry of a step list; ``use`` is None when it was not understood."""

    path: Path
    table: Table
    kind: str | None
    use: Use | None


def read_uses(
    node: Node, path: Path, vocabulary: Vocabulary, findings: Findings
) -> tuple[PlacedUse, ...]:
    """Every entry that is a mapping, in order; what is wrong is added to the findings."""
    items = node.nodes if isinstance(node, Items) else ()
    placed = (_read(item, (*path, index), vocabulary, findings) for index, item in enumerate(items))
    return tuple(use for use in placed if use is not None)


def main_component(params: Mapping[str, Any], kind: str) -> tuple[str, str] | None:
    """The component that a fault's parameters name, with the key that names it."""
    for key in ("component", kind):
        value = params.get(key)
        if isinstance(value, str) and NAME.fullmatch(value):
            return key, value
    return None


def _read(node: Node, path: Path, vocabulary: Vocabulary, findings: Findings) -> PlacedUse | None:
    faulty = path[0] == "fault"
    kinds: Mapping[str, type[StepParams]] = vocabulary.faults if faulty else vocabulary.steps
    if isinstance(node, Table) and not _explained(node, kinds):
        vocabulary = vocabulary.whole()
        kinds = vocabulary.faults if faulty else vocabulary.steps
    if not isinstance(node, Table):
        if not isinstance(node, Broken):
            example = f"{{{next(iter(kinds), 'kind')}: ...}}"
            findings.add(node.at, path, f"expected a mapping such as {example}, got {got(node)}")
        return None
    kind = _kind(node, path, kinds, vocabulary, findings)
    if kind is None:
        return PlacedUse(path, node, None, None)
    params = validate(kinds[kind], node, path, findings)
    if params is None:
        return PlacedUse(path, node, kind, None)
    # Defaults are written out, so that the plan freezes the ones in force when it was made.
    use = Use(kind=kind, params=params.model_dump(mode="json", by_alias=True))
    return PlacedUse(path, node, kind, use)


def _explained(table: Table, kinds: Mapping[str, type[StepParams]]) -> bool:
    """Whether one kind takes every key of the entry."""
    named = [key for key in table.entries if key in kinds]
    return any(set(table.entries) <= keys_at(kinds[kind], ()) for kind in named)


def _kind(
    table: Table,
    path: Path,
    kinds: Mapping[str, type[StepParams]],
    vocabulary: Vocabulary,
    findings: Findings,
) -> str | None:
    named = [key for key in table.entries if key in kinds]
    # A parameter may be called like another kind: the kind is the one that takes the rest.
    fitting = (
        [kind for kind in named if set(named) - {kind} <= keys_at(kinds[kind], ())]
        if len(named) > 1
        else named
    )
    if len(fitting) == 1:
        return fitting[0]
    if named:
        both = " and ".join(repr(kind) for kind in named)
        at = table.entries[named[1]].key_at
        findings.add(at, path, f"expected one kind in one entry, got {both}; make it two entries")
        return None
    _unknown(table, path, kinds, vocabulary, findings)
    return None


def _unknown(
    table: Table,
    path: Path,
    kinds: Mapping[str, type[StepParams]],
    vocabulary: Vocabulary,
    findings: Findings,
) -> None:
    faulty = path[0] == "fault"
    word = "fault" if faulty else "step"
    others = vocabulary.steps if faulty else vocabulary.faults
    candidates = [key for key in table.entries if key not in _COMMON]
    if not candidates:
        known = either(sorted(kinds)) if kinds else "none"
        findings.add(table.at, path, f"no {word} is named; the {word}s are {known}")
        return
    elsewhere = [key for key in candidates if key in others]
    close = [key for key in candidates if closest(key, kinds)]
    key = (elsewhere or close or candidates)[0]
    if elsewhere and faulty:
        text = f"{key!r} is a step and has no undo; the faults are {either(sorted(kinds) or '-')}"
    elif elsewhere:
        text = f"{key!r} is a fault; move it to `fault:`, where its undo is recorded first"
    else:
        text = f"{shown(key)} is not a known {word}{suggestion(key, kinds)}"
    findings.add(table.entries[key].key_at, path, text)
