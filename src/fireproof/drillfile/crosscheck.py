"""What no single section can tell: names that must exist, times that must fit together.

Works on nodes as well as on values, because one wrong field must not hide the next problem.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from pydantic import BaseModel

from fireproof.drillfile.drills import PROBES, Draft, PlacedEntry
from fireproof.drillfile.findings import At, Findings, Path, shown
from fireproof.drillfile.loads import check_loads
from fireproof.drillfile.tree import Items, Node, Scalar, Table, child, plain
from fireproof.drillfile.uses import NAME, PlacedUse, main_component
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import got, suggestion
from fireproof.model.drill import (
    DEFAULT_STEP_TIMEOUT_NS,
    AlertProbe,
    FaultParams,
    HttpProbe,
    PluginProbe,
    RecoveryTime,
    SqlProbe,
    TcpProbe,
)
from fireproof.model.environment import references
from fireproof.model.quantity import format_duration, parse_duration

_WHEN = re.compile(r"([a-z][a-z0-9-]*)\.errors > (\d+)(?: before fault)?")
_ADDRESS = re.compile(r"(?!.*://)\S*[^\s:]:([0-9]{1,5}|\{\S+\})$|\S*\}$")
_MOST_ERRORS = 9  # digits; a drill never makes a thousand million observations
_SERVICE: dict[str, type[BaseModel]] = {"http": HttpProbe, "tcp": TcpProbe, "sql": SqlProbe}
_SOURCES = {  # what an objective measures with, by the key that tells probes apart
    "rto": (tuple(_SERVICE), "an http, tcp or sql probe"),
    "rpo": (("acknowledged-writes",), "a canary"),
    "mttd": (("alerts",), "a probe that waits for alerts"),
    "growth": (("resources",), "a resources probe"),
}


def check_draft(draft: Draft, vocabulary: Vocabulary, findings: Findings) -> None:
    """Add every problem that lies between the sections."""
    _texts(draft, findings)
    _twice(child(draft.root, "components"), ("components",), findings)
    for probe in draft.probes:
        _probe(probe, findings)
    for objective in draft.objectives:
        _objective(objective, draft, vocabulary, findings)
    check_loads(draft, findings)
    _harmless(draft, findings)
    _saved(draft, findings)
    for use in draft.every_use():
        _longer_than_nothing(use.table, use.path, ("timeout", "expires"), findings)
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
    _longer_than_nothing(draft.root, (), ("cadence",), findings)


def _duration(table: Node | None, key: str, default_ns: int | None = None) -> int | None:
    """Nanoseconds of a duration in the file, the default when absent, None when unreadable."""
    node = child(table, key)
    if node is None:
        return default_ns
    try:
        return parse_duration(node.value) if isinstance(node, Scalar) else None
    except ValueError:
        return None


def _default_ns(model: type[BaseModel], name: str) -> int:
    return int(model.model_fields[name].default)


def _observes_a_service(probe: PlacedEntry) -> bool:
    """Whether a recovery time can be measured with it; those of plug-ins are all of that sort."""
    return probe.variant in _SERVICE or (probe.variant is not None and probe.variant not in PROBES)


def _probe_default_ns(probe: PlacedEntry, name: str) -> int | None:
    """None for a plug-in's probe that was not understood, which has been said."""
    if isinstance(probe.value, PluginProbe):
        return int(getattr(probe.value, name))
    model = _SERVICE.get(str(probe.variant))
    return _default_ns(model, name) if model else None


def _place(table: Table, key: str) -> At:
    """Where a key's value stands, or its mapping when the default holds."""
    node = child(table, key)
    return node.at if node else table.at


def _longer_than_nothing(table: Table, path: Path, keys: Iterable[str], findings: Findings) -> None:
    for key in keys:
        node = child(table, key)
        if node is not None and _duration(table, key) == 0:
            findings.add(node.at, (*path, key), f"expected more than 0s, got {got(node)}")


def _twice(node: Node | None, path: Path, findings: Findings) -> None:
    seen: set[object] = set()
    for index, item in enumerate(node.nodes if isinstance(node, Items) else ()):
        if isinstance(item, Scalar):
            if item.value in seen:
                findings.add(item.at, (*path, index), f"{item.text!r} is named twice")
            seen.add(item.value)


def _probe(probe: PlacedEntry, findings: Findings) -> None:
    table = probe.table
    _longer_than_nothing(table, probe.path, ("every", "timeout"), findings)
    good = child(table, "good")
    if probe.variant == "alerts":
        _alerts(probe, findings)
    if probe.variant == "tcp":
        _host_and_port(table, probe.path, findings)
    if not _observes_a_service(probe) or not isinstance(good, Table):
        return
    _longer_than_nothing(good, (*probe.path, "good"), ("within",), findings)
    within = _duration(good, "within")
    timeout = _duration(table, "timeout", _probe_default_ns(probe, "timeout"))
    if within is not None and timeout and within > timeout:
        text = f"expected at most the probe's timeout of {format_duration(timeout)}"
        place = child(good, "within")
        if place is not None:
            findings.add(place.at, (*probe.path, "good", "within"), f"{text}, got {got(place)}")


def _host_and_port(table: Table, path: Path, findings: Findings) -> None:
    node = child(table, "tcp")
    if isinstance(node, Scalar) and isinstance(node.value, str) and not _ADDRESS.match(node.value):
        findings.add(node.at, (*path, "tcp"), f"expected host:port, got {got(node)}")


def _objective(
    objective: PlacedEntry, draft: Draft, vocabulary: Vocabulary, findings: Findings
) -> None:
    table, path = objective.table, objective.path
    controls = child(table, "controls")
    _twice(controls, (*path, "controls"), findings)
    if vocabulary.controls is not None:
        _known_controls(controls, (*path, "controls"), vocabulary.controls, vocabulary, findings)
    probe = _source(objective, draft, findings) if objective.variant in _SOURCES else None
    if objective.variant == "rto":
        # A recovery that no time could meet, or that one good answer would prove, shows nothing.
        _longer_than_nothing(table, path, ("rto", "hold"), findings)
        _resolution(objective, probe, findings)
        clock = child(table, "clock")
        verify = child(draft.root, "verify")
        empty = verify is None or (isinstance(verify, Items) and not verify.nodes)
        if isinstance(clock, Scalar) and clock.value == "verified" and empty:
            text = "this clock ends when a check has passed; add a step under `verify:`"
            findings.add(clock.at, (*path, "clock"), text)
    if objective.variant == "mttd":
        _longer_than_nothing(table, path, ("mttd",), findings)
        _which_alert(objective, probe, findings)
    if objective.variant == "mitigation":
        _longer_than_nothing(table, path, ("mitigation",), findings)
        for key, wanted in (("detection", "mttd"), ("recovery", "rto")):
            _refers(objective, key, wanted, draft, findings)
    if objective.variant == "checks":
        _twice(child(table, "checks"), (*path, "checks"), findings)
    _covers(table, path, findings)


def _covers(table: Table, path: Path, findings: Findings) -> None:
    """Checklist rows, each once; by checks only of those that the objective names."""
    covers = child(table, "covers")
    _twice(covers, (*path, "covers"), findings)
    if not isinstance(covers, Table):
        return
    checks = child(table, "checks")
    named = [str(plain(node)) for node in (checks.nodes if isinstance(checks, Items) else ())]
    for name, entry in covers.entries.items():
        _twice(entry.node, (*path, "covers", name), findings)
        if name not in named:
            text = f"{shown(name)} is not among the objective's checks{suggestion(name, named)}"
            findings.add(entry.key_at, (*path, "covers", name), text)


def _harmless(draft: Draft, findings: Findings) -> None:
    """A drill without a fault is fine as long as nothing is measured from the fault."""
    fault = child(draft.root, "fault")
    if fault is not None and (not isinstance(fault, Items) or fault.nodes):
        return
    for objective in draft.objectives:
        if objective.variant in _SOURCES and objective.variant != "growth":
            text = "is measured from the injection, and there is no fault; add one under `fault:`"
            findings.add(objective.table.at, objective.path, text)


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


def _alerts(probe: PlacedEntry, findings: Findings) -> None:
    """Somebody evaluates, and somebody knows where to post."""
    if not isinstance(probe.value, AlertProbe):
        return
    value, path = probe.value, probe.path
    if bool(value.metrics) != bool(value.rules):
        has, lacks = ("metrics", "rules") if value.metrics else ("rules", "metrics")
        findings.add(_place(probe.table, has), (*path, has), f"`{has}:` needs `{lacks}:` beside it")
    elif not value.metrics and not value.listen:
        text = "nobody evaluates: add `metrics:` and `rules:`, or `listen:` for your Alertmanager"
        findings.add(probe.table.at, path, text)
    for index, name in enumerate(value.alerts if value.rules else ()):
        if name not in (rules := [rule.alert for rule in value.rules]):
            at = (*path, "alerts", index)
            node = child(probe.table, "alerts", index)
            text = f"no rule is called {name!r}{suggestion(name, rules)}"
            findings.add(node.at if node else probe.table.at, at, text)


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
    variants, wanted = _SOURCES[str(objective.variant)]
    probe = _named_probe(node.value, node.at, path, draft, findings)
    plugin = objective.variant == "rto" and probe and _observes_a_service(probe)
    if probe is None or plugin or probe.variant in (None, *variants):
        return probe
    fitting = sorted(other.name for other in draft.probes if other.variant in variants)
    cure = f"; {' and '.join(map(repr, fitting))} would do" if fitting else ""
    text = f"{objective.variant} needs {wanted}, and {node.value!r} is none{cure}"
    findings.add(node.at, path, text)
    return None


def _named_probe(
    name: str, at: At, path: Path, draft: Draft, findings: Findings
) -> PlacedEntry | None:
    for probe in draft.probes:
        if probe.name == name:
            return probe
    probes = child(draft.root, "probes")
    defined = set(probes.entries) if isinstance(probes, Table) else set()
    if name not in defined:  # else it is defined, wrongly, and that has been said
        findings.add(at, path, f"no probe is called {name!r}{suggestion(name, defined)}")
    return None


def _resolution(objective: PlacedEntry, probe: PlacedEntry | None, findings: Findings) -> None:
    """A probe slower than what it should show can only be inconclusive."""
    if probe is None or not _observes_a_service(probe):
        return
    every = _duration(probe.table, "every", _probe_default_ns(probe, "every"))
    hold = _duration(objective.table, "hold", _default_ns(RecoveryTime, "hold"))
    for key, limit in (("rto", _duration(objective.table, "rto")), ("hold", hold)):
        if every and limit and limit < every:
            text = (
                f"expected at least the {format_duration(every)} between questions of probe "
                f"{probe.name!r}, got {format_duration(limit)}"
            )
            findings.add(_place(objective.table, key), (*objective.path, key), text)


def _saved(draft: Draft, findings: Findings) -> None:
    saved: dict[str, At] = {}
    for probe in draft.probes:
        for path, text in texts(probe.table, probe.path):
            _uses_saved(text, path, {}, "probes start before any step", findings)
    for load in draft.loads:
        for path, text in texts(load.table, load.path):
            _uses_saved(text, path, {}, "a load takes no value of a step", findings)
    for use in draft.every_use():
        for path, text in texts(use.table, use.path):
            _uses_saved(text, path, saved, "no earlier step saves it", findings)
        name = _saves(use)
        at = _place(use.table, "save")
        if name is not None and name in saved:
            text_ = f"{name!r} is saved twice; first in line {saved[name].line}"
            findings.add(at, (*use.path, "save"), text_)
        elif name is not None:
            saved[name] = at


def _saves(use: PlacedUse) -> str | None:
    """Name under which a step keeps its value; some kinds have a default for it."""
    node = child(use.table, "save")
    name = node.value if isinstance(node, Scalar) else None
    if name is None and use.use is not None:
        name = use.use.params.get("save")
    return name if isinstance(name, str) else None


def texts(node: Node, path: Path) -> Iterable[tuple[Path, Scalar]]:
    """Every text below a node with its path."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        yield path, node
    elif isinstance(node, Items):
        for index, item in enumerate(node.nodes):
            yield from texts(item, (*path, index))
    elif isinstance(node, Table):
        for key, entry in node.entries.items():
            yield from texts(entry.node, (*path, key))


def _uses_saved(
    text: Scalar, path: Path, saved: Container[str], why: str, findings: Findings
) -> None:
    for owner, key in references(text.text) if "{saved." in text.text else ():
        if owner == "saved" and key not in saved:
            reference = "{saved." + key + "}"
            findings.add(text.at, path, f"{reference!r} has no value here: {why}")


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
        findings.add(_place(fault.table, key), (*fault.path, key), text)


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
    expires = _duration(fault.table, "expires", _default_ns(FaultParams, "expires"))
    needed = 0
    for use in draft.uses[("recover",)]:
        needed += _duration(use.table, "timeout", DEFAULT_STEP_TIMEOUT_NS) or 0
    if expires and expires < needed:
        text = (
            f"the fault expires after {format_duration(expires)}, but the steps under `recover:` "
            f"may take {_span(needed)}; let it stand at least that long"
        )
        findings.add(_place(fault.table, "expires"), (*fault.path, "expires"), text)


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
            _named_probe(match[1], node.at, path, draft, findings)
        if len(match[2]) > _MOST_ERRORS:
            findings.add(node.at, path, f"expected a smaller number of errors, got {got(node)}")
