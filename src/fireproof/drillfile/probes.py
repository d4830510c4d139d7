"""What a probe must say, and which probes can measure a recovery."""

from __future__ import annotations

import re

from pydantic import BaseModel

from fireproof.drillfile.drills import PROBES, Draft, PlacedEntry
from fireproof.drillfile.findings import At, Findings, Path
from fireproof.drillfile.placed import default_ns, duration, longer_than_nothing, place
from fireproof.drillfile.tree import Scalar, Table, child
from fireproof.drillfile.words import got, suggestion
from fireproof.model.drill import AlertProbe, HttpProbe, PluginProbe, SqlProbe, TcpProbe
from fireproof.model.quantity import format_duration

_ADDRESS = re.compile(r"(?!.*://)\S*[^\s:]:([0-9]{1,5}|\{\S+\})$|\S*\}$")
SERVICE: dict[str, type[BaseModel]] = {"http": HttpProbe, "tcp": TcpProbe, "sql": SqlProbe}


def observes_a_service(probe: PlacedEntry) -> bool:
    """Whether a recovery time can be measured with it; those of plug-ins are all of that sort."""
    return probe.variant in SERVICE or (probe.variant is not None and probe.variant not in PROBES)


def probe_default_ns(probe: PlacedEntry, name: str) -> int | None:
    """None for a plug-in's probe that was not understood, which has been said."""
    if isinstance(probe.value, PluginProbe):
        return int(getattr(probe.value, name))
    model = SERVICE.get(str(probe.variant))
    return default_ns(model, name) if model else None


def named_probe(
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


def check_probe(probe: PlacedEntry, findings: Findings) -> None:
    table = probe.table
    longer_than_nothing(table, probe.path, ("every", "timeout"), findings)
    good = child(table, "good")
    if probe.variant == "alerts":
        _alerts(probe, findings)
    if probe.variant == "tcp":
        _host_and_port(table, probe.path, findings)
    if not observes_a_service(probe) or not isinstance(good, Table):
        return
    longer_than_nothing(good, (*probe.path, "good"), ("within",), findings)
    within = duration(good, "within")
    timeout = duration(table, "timeout", probe_default_ns(probe, "timeout"))
    if within is not None and timeout and within > timeout:
        text = f"expected at most the probe's timeout of {format_duration(timeout)}"
        place = child(good, "within")
        if place is not None:
            findings.add(place.at, (*probe.path, "good", "within"), f"{text}, got {got(place)}")


def _host_and_port(table: Table, path: Path, findings: Findings) -> None:
    node = child(table, "tcp")
    if isinstance(node, Scalar) and isinstance(node.value, str) and not _ADDRESS.match(node.value):
        findings.add(node.at, (*path, "tcp"), f"expected host:port, got {got(node)}")


def _alerts(probe: PlacedEntry, findings: Findings) -> None:
    """Somebody evaluates, and somebody knows where to post."""
    if not isinstance(probe.value, AlertProbe):
        return
    value, path = probe.value, probe.path
    if bool(value.metrics) != bool(value.rules):
        has, lacks = ("metrics", "rules") if value.metrics else ("rules", "metrics")
        findings.add(place(probe.table, has), (*path, has), f"`{has}:` needs `{lacks}:` beside it")
    elif not value.metrics and not value.listen:
        text = "nobody evaluates: add `metrics:` and `rules:`, or `listen:` for your Alertmanager"
        findings.add(probe.table.at, path, text)
    for index, name in enumerate(value.alerts if value.rules else ()):
        if name not in (rules := [rule.alert for rule in value.rules]):
            at = (*path, "alerts", index)
            node = child(probe.table, "alerts", index)
            text = f"no rule is called {name!r}{suggestion(name, rules)}"
            findings.add(node.at if node else probe.table.at, at, text)
