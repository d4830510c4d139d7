"""A whole drill file: its sections, each against its own model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fireproof.drillfile.findings import Findings, Path
from fireproof.drillfile.tree import Broken, Items, Node, Table, child, plain
from fireproof.drillfile.uses import PlacedUse, read_uses
from fireproof.drillfile.validate import validate
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import closest, either
from fireproof.model.drill import (
    AlertProbe,
    CanaryProbe,
    CheckObjective,
    DataLoss,
    Detection,
    Drill,
    HttpProbe,
    ProbeParams,
    RecoveryTime,
    ResourcesProbe,
    SqlProbe,
    TcpProbe,
    Timeline,
    Use,
    plugin_probe,
)
from fireproof.model.load import Growth, Load, Requests, Slo

PHASES: tuple[Path, ...] = (
    ("preflight",),
    ("baseline", "steps"),
    ("fault",),
    ("recover",),
    ("verify",),
    ("refuse",),
)
"""Where uses stand, in the order in which a run reaches them."""

PROBES: Mapping[str, type[BaseModel]] = {
    "http": HttpProbe,
    "tcp": TcpProbe,
    "sql": SqlProbe,
    "acknowledged-writes": CanaryProbe,
    "alerts": AlertProbe,
    "resources": ResourcesProbe,
}
OBJECTIVES: Mapping[str, type[BaseModel]] = {
    "rto": RecoveryTime,
    "rpo": DataLoss,
    "mttd": Detection,
    "mitigation": Timeline,
    "checks": CheckObjective,
    "slo": Slo,
    "requests": Requests,
    "growth": Growth,
}
_STAND_INS: dict[str, dict[str, Any]] = {
    "probes": {"http": "-"},
    "load": {"locustfile": "-", "target": "-"},
    "objectives": {"checks": ["-"]},
    "use": {"kind": "-", "params": {}},
}


@dataclass(frozen=True, slots=True)
class PlacedEntry:
    """A probe, load or objective; ``variant`` is the key that tells which, None if none tells."""

    path: Path
    name: str
    table: Table
    variant: str | None
    value: BaseModel | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A drill as far as it was understood, with the nodes it came from."""

    root: Table
    header: Drill | None
    probes: tuple[PlacedEntry, ...]
    loads: tuple[PlacedEntry, ...]
    objectives: tuple[PlacedEntry, ...]
    uses: Mapping[Path, tuple[PlacedUse, ...]]  # for every phase of PHASES

    def every_use(self) -> Iterator[PlacedUse]:
        """In the order of the run."""
        for phase in PHASES:
            yield from self.uses[phase]

    def drill(self) -> Drill:
        """The whole drill; only for a draft without findings."""
        if self.header is None:
            raise ValueError("a draft with problems is no drill")
        done: dict[Path, tuple[Use, ...]] = {
            phase: tuple(placed.use for placed in placed_uses if placed.use is not None)
            for phase, placed_uses in self.uses.items()
        }
        steps = done.pop(("baseline", "steps"))
        update: dict[str, Any] = {str(phase[0]): uses for phase, uses in done.items()}
        update["baseline"] = self.header.baseline.model_copy(update={"steps": steps})
        update["probes"] = {entry.name: entry.value for entry in self.probes}
        update["load"] = {entry.name: entry.value for entry in self.loads}
        update["objectives"] = {entry.name: entry.value for entry in self.objectives}
        return self.header.model_copy(update=update)


def read_drill_tree(root: Node, vocabulary: Vocabulary, findings: Findings) -> Draft | None:
    """The draft of a drill; None when the file is no mapping at all, which was added."""
    header = validate(Drill, root, (), findings, instead=_stand_ins(root))
    if not isinstance(root, Table):
        return None
    uses: dict[Path, tuple[PlacedUse, ...]] = {}
    for phase in PHASES:
        node = child(root, *phase)
        uses[phase] = read_uses(node, phase, vocabulary, findings) if node else ()
    return Draft(
        root,
        header,
        tuple(_entries(root, "probes", _probe_kinds(root, vocabulary), findings)),
        tuple(_loads(root, findings)),
        tuple(_entries(root, "objectives", OBJECTIVES, findings)),
        uses,
    )


def _stand_ins(root: Node) -> dict[str, Any]:
    """Valid data for the sections that are validated one entry at a time.

    The header's model then still sees what is missing, empty or no list at all, and every name.
    """
    instead: dict[str, Any] = {}
    for section in ("probes", "load", "objectives"):
        node = child(root, section)
        if isinstance(node, Table):
            instead[section] = {
                name: _STAND_INS[section]
                if isinstance(entry.node, (Table, Broken))
                else plain(entry.node)
                for name, entry in node.entries.items()
            }
    for phase in PHASES:
        node = child(root, *phase)
        if isinstance(node, Items):
            uses = [_STAND_INS["use"]] * len(node.nodes)
            if len(phase) == 1:
                instead[str(phase[0])] = uses
            else:
                above = plain(child(root, *phase[:-1]) or root)
                instead[str(phase[0])] = above | {str(phase[-1]): uses}
    return instead


def _entries(
    root: Table, section: str, variants: Mapping[str, type[BaseModel]], findings: Findings
) -> Iterator[PlacedEntry]:
    node = child(root, section)
    for name, entry in node.entries.items() if isinstance(node, Table) else ():
        table, path = entry.node, (section, name)
        if not isinstance(table, Table):
            continue  # the header's model has said so
        variant = _variant(table, path, variants, findings)
        value = validate(variants[variant], table, path, findings) if variant else None
        if variant and isinstance(value, ProbeParams):
            value = plugin_probe(variant, value)
        yield PlacedEntry(path, name, table, variant, value)


def _loads(root: Table, findings: Findings) -> Iterator[PlacedEntry]:
    """Loads are of one kind."""
    node = child(root, "load")
    for name, entry in node.entries.items() if isinstance(node, Table) else ():
        if isinstance(entry.node, Table):
            path = ("load", name)
            value = validate(Load, entry.node, path, findings)
            yield PlacedEntry(path, name, entry.node, "load", value)


def _probe_kinds(root: Table, vocabulary: Vocabulary) -> Mapping[str, type[BaseModel]]:
    """Ours, and those of plug-ins when an entry is none of ours."""
    node = child(root, "probes")
    entries = node.entries.values() if isinstance(node, Table) else ()
    tables = [entry.node for entry in entries if isinstance(entry.node, Table)]
    if all(PROBES.keys() & table.entries.keys() for table in tables):
        return PROBES
    return {**vocabulary.whole().probes, **PROBES}


def _variant(
    table: Table, path: Path, variants: Mapping[str, type[BaseModel]], findings: Findings
) -> str | None:
    """Which of several models a mapping wants to be, told by the one key that only it has."""
    given = [key for key in table.entries if key in variants]
    if len(given) == 1:
        return given[0]
    if given:
        both = " and ".join(given)
        text = f"expected one of {either(variants)}, got {both}; make it {len(given)} entries"
        findings.add(table.entries[given[1]].key_at, path, text)
        return None
    for key in table.entries:
        meant = closest(key, variants)
        if meant is not None:
            return meant  # its model names the misspelt key
    what = "objective has no target" if path[0] == "objectives" else "probe asks nothing"
    findings.add(
        table.at, path, f"this {what}; add one of {either(f'`{key}:`' for key in variants)}"
    )
    return None
