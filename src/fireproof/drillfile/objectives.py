"""What an objective must say, and what it refers to: a probe, controls, checks, its kin."""

from __future__ import annotations

from collections.abc import Container

from fireproof.drillfile.drills import Draft, PlacedEntry
from fireproof.drillfile.findings import Findings, Path, shown
from fireproof.drillfile.placed import default_ns, duration, longer_than_nothing, place, twice
from fireproof.drillfile.probes import SERVICE, named_probe, observes_a_service, probe_default_ns
from fireproof.drillfile.tree import Items, Node, Scalar, Table, child, plain
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import suggestion
from fireproof.model.drill import AlertProbe, RecoveryTime
from fireproof.model.quantity import format_duration

SOURCES = {  # what an objective measures with, by the key that tells probes apart
    "rto": (tuple(SERVICE), "an http, tcp or sql probe"),
    "rpo": (("acknowledged-writes",), "a canary"),
    "mttd": (("alerts",), "a probe that waits for alerts"),
    "growth": (("resources",), "a resources probe"),
}


def check_objective(
    objective: PlacedEntry, draft: Draft, vocabulary: Vocabulary, findings: Findings
) -> None:
    table, path = objective.table, objective.path
    controls = child(table, "controls")
    twice(controls, (*path, "controls"), findings)
    if vocabulary.controls is not None:
        _known_controls(controls, (*path, "controls"), vocabulary.controls, vocabulary, findings)
    probe = _source(objective, draft, findings) if objective.variant in SOURCES else None
    if objective.variant == "rto":
        # A recovery that no time could meet, or that one good answer would prove, shows nothing.
        longer_than_nothing(table, path, ("rto", "hold"), findings)
        _resolution(objective, probe, findings)
        clock = child(table, "clock")
        verify = child(draft.root, "verify")
        empty = verify is None or (isinstance(verify, Items) and not verify.nodes)
        if isinstance(clock, Scalar) and clock.value == "verified" and empty:
            text = "this clock ends when a check has passed; add a step under `verify:`"
            findings.add(clock.at, (*path, "clock"), text)
    if objective.variant == "mttd":
        longer_than_nothing(table, path, ("mttd",), findings)
        _which_alert(objective, probe, findings)
    if objective.variant == "mitigation":
        longer_than_nothing(table, path, ("mitigation",), findings)
        for key, wanted in (("detection", "mttd"), ("recovery", "rto")):
            _refers(objective, key, wanted, draft, findings)
    if objective.variant == "checks":
        twice(child(table, "checks"), (*path, "checks"), findings)
    _covers(table, path, findings)


def _covers(table: Table, path: Path, findings: Findings) -> None:
    """Checklist rows, each once; by checks only of those that the objective names."""
    covers = child(table, "covers")
    twice(covers, (*path, "covers"), findings)
    if not isinstance(covers, Table):
        return
    checks = child(table, "checks")
    named = [str(plain(node)) for node in (checks.nodes if isinstance(checks, Items) else ())]
    for name, entry in covers.entries.items():
        twice(entry.node, (*path, "covers", name), findings)
        if name not in named:
            text = f"{shown(name)} is not among the objective's checks{suggestion(name, named)}"
            findings.add(entry.key_at, (*path, "covers", name), text)


def _refers(
    objective: PlacedEntry, key: str, wanted: str, draft: Draft, findings: Findings
) -> None:
    """Another objective that is named here is there, and of the sort that is meant."""
    node = child(objective.table, key)
    names = [other.name for other in draft.objectives if other.variant == wanted]
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value not in names:
        text = f"expected the name of an objective with `{wanted}:`, got {shown(node.value)}"
        cure = suggestion(node.value, names)
        findings.add(node.at, (*objective.path, key), f"{text}{cure}")


def _which_alert(objective: PlacedEntry, probe: PlacedEntry | None, findings: Findings) -> None:
    """The alert that is timed is one that the probe waits for."""
    if probe is None or not isinstance(probe.value, AlertProbe):
        return
    names, node = probe.value.alerts, child(objective.table, "alert")
    if node is None and len(names) > 1:
        text = f"probe {probe.name!r} waits for {len(names)} alerts; say which with `alert:`"
        findings.add(objective.table.at, objective.path, text)
    elif isinstance(node, Scalar) and node.text not in names:
        text = f"probe {probe.name!r} does not wait for {node.text!r}"
        cure = suggestion(node.text, names)
        findings.add(node.at, (*objective.path, "alert"), f"{text}{cure}")


def _known_controls(
    node: Node | None,
    path: Path,
    known: Container[str],
    vocabulary: Vocabulary,
    findings: Findings,
) -> None:
    for index, item in enumerate(node.nodes if isinstance(node, Items) else ()):
        wellformed = isinstance(item, Scalar) and isinstance(item.value, str) and ":" in item.value
        if wellformed and isinstance(item, Scalar) and item.value not in known:
            text = f"unknown control {item.text!r}{suggestion(item.text, vocabulary.control_ids())}"
            findings.add(item.at, (*path, index), text)


def _source(objective: PlacedEntry, draft: Draft, findings: Findings) -> PlacedEntry | None:
    """The probe that an objective measures with, if it is one that can."""
    node = child(objective.table, "from")
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None
    path = (*objective.path, "from")
    variants, wanted = SOURCES[str(objective.variant)]
    probe = named_probe(node.value, node.at, path, draft, findings)
    plugin = objective.variant == "rto" and probe and observes_a_service(probe)
    if probe is None or plugin or probe.variant in (None, *variants):
        return probe
    fitting = sorted(other.name for other in draft.probes if other.variant in variants)
    cure = f"; {' and '.join(map(repr, fitting))} would do" if fitting else ""
    text = f"{objective.variant} needs {wanted}, and {node.value!r} is none{cure}"
    findings.add(node.at, path, text)
    return None


def _resolution(objective: PlacedEntry, probe: PlacedEntry | None, findings: Findings) -> None:
    """A probe slower than what it should show can only be inconclusive."""
    if probe is None or not observes_a_service(probe):
        return
    every = duration(probe.table, "every", probe_default_ns(probe, "every"))
    hold = duration(objective.table, "hold", default_ns(RecoveryTime, "hold"))
    for key, limit in (("rto", duration(objective.table, "rto")), ("hold", hold)):
        if every and limit and limit < every:
            text = (
                f"expected at least the {format_duration(every)} between questions of probe "
                f"{probe.name!r}, got {format_duration(limit)}"
            )
            findings.add(place(objective.table, key), (*objective.path, key), text)
