"""What no single section can tell: names that must exist, times that must fit together.

Works on nodes as well as on values, because one wrong field must not hide the next problem.
"""

from __future__ import annotations

import re

from fireproof.drillfile.drills import Draft
from fireproof.drillfile.findings import Findings, Path
from fireproof.drillfile.loads import check_loads
from fireproof.drillfile.objectives import SOURCES, check_objective
from fireproof.drillfile.placed import default_ns, duration, longer_than_nothing, place, twice
from fireproof.drillfile.probes import check_probe, named_probe
from fireproof.drillfile.saved import check_saved
from fireproof.drillfile.tree import Items, Scalar, Table, child, plain
from fireproof.drillfile.uses import NAME, PlacedUse, main_component
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import got, suggestion
from fireproof.model.drill import DEFAULT_STEP_TIMEOUT_NS, FaultParams
from fireproof.model.quantity import format_duration

_WHEN = re.compile(r"([a-z][a-z0-9-]*)\.errors > (\d+)(?: before fault)?")
_MOST_ERRORS = 9  # digits; a drill never makes a thousand million observations


def check_draft(draft: Draft, vocabulary: Vocabulary, findings: Findings) -> None:
    """Add every problem that lies between the sections."""
    _texts(draft, findings)
    twice(child(draft.root, "components"), ("components",), findings)
    for probe in draft.probes:
        check_probe(probe, findings)
    for objective in draft.objectives:
        check_objective(objective, draft, vocabulary, findings)
    check_loads(draft, findings)
    _harmless(draft, findings)
    check_saved(draft, findings)
    for use in draft.every_use():
        longer_than_nothing(use.table, use.path, ("timeout", "expires"), findings)
        if use.kind == "manual":
            _role(use, draft, findings)
        if use.kind == "playbook" and use not in draft.uses[("fault",)]:
            _leased(use, draft, findings)  # one with an undo is harm
    for use in draft.uses[("fault",)]:
        _leased(use, draft, findings)
        if use.kind is not None:
            _expiry(use, draft, findings)
    _abort(draft, findings)


def _texts(draft: Draft, findings: Findings) -> None:
    for key in ("title", "owner", "hypothesis"):
        node = child(draft.root, key)
        if isinstance(node, Scalar) and isinstance(node.value, str) and not node.value.strip():
            findings.add(node.at, (key,), f"expected some text, got {got(node)}")
    longer_than_nothing(draft.root, (), ("cadence",), findings)


def _harmless(draft: Draft, findings: Findings) -> None:
    """A drill without a fault is fine as long as nothing is measured from the fault."""
    fault = child(draft.root, "fault")
    if fault is not None and (not isinstance(fault, Items) or fault.nodes):
        return
    for objective in draft.objectives:
        if objective.variant in SOURCES and objective.variant != "growth":
            text = "is measured from the injection, and there is no fault; add one under `fault:`"
            findings.add(objective.table.at, objective.path, text)


def _leased(fault: PlacedUse, draft: Draft, findings: Findings) -> None:
    """Leases are taken on the drill's components: harm elsewhere would be unguarded."""
    if fault.kind is None:
        return
    components = child(draft.root, "components")
    named = [
        str(node.value)
        for node in (components.nodes if isinstance(components, Items) else ())
        if isinstance(node, Scalar)
    ]
    target = main_component(plain(fault.table), fault.kind)
    if target and named and all(map(NAME.fullmatch, named)) and target[1] not in named:
        key, name = target
        text = f"{name!r} is not among the drill's components{suggestion(name, named)}"
        findings.add(place(fault.table, key), (*fault.path, key), text)


def _span(ns: int) -> str:
    """A duration for people: ``8m5s`` rather than ``485s``."""
    minutes, rest = divmod(ns, 60 * 10**9)
    if not minutes or not rest:
        return format_duration(ns)
    return format_duration(ns - rest) + format_duration(rest)


def _role(use: PlacedUse, draft: Draft, findings: Findings) -> None:
    """Who acknowledges a manual step is one of those whom the drill asks for."""
    node, roles = child(use.table, "role"), child(draft.root, "roles")
    names = list(roles.entries) if isinstance(roles, Table) else []
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value not in names:
        cure = suggestion(node.value, names) or "; add it under `roles:`"
        text = f"no role is called {node.value!r}{cure}"
        findings.add(node.at, (*use.path, "role"), text)


def _expiry(fault: PlacedUse, draft: Draft, findings: Findings) -> None:
    """A fault that undoes itself in the middle of a recovery would be credited to the recovery."""
    expires = duration(fault.table, "expires", default_ns(FaultParams, "expires"))
    needed = 0
    for use in draft.uses[("recover",)]:
        needed += duration(use.table, "timeout", DEFAULT_STEP_TIMEOUT_NS) or 0
    if expires and expires < needed:
        text = (
            f"the fault expires after {format_duration(expires)}, but the steps under `recover:` "
            f"may take {_span(needed)}; let it stand at least that long"
        )
        findings.add(place(fault.table, "expires"), (*fault.path, "expires"), text)


def _abort(draft: Draft, findings: Findings) -> None:
    entries = child(draft.root, "abort")
    for index, item in enumerate(entries.nodes if isinstance(entries, Items) else ()):
        node = child(item, "when")
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        path: Path = ("abort", index, "when")
        match = _WHEN.fullmatch(node.value)
        if match is None:
            continue  # the model says what a condition looks like
        if match[1] not in {load.name for load in draft.loads}:
            named_probe(match[1], node.at, path, draft, findings)
        if len(match[2]) > _MOST_ERRORS:
            findings.add(node.at, path, f"expected a smaller number of errors, got {got(node)}")
