"""What a load's section must say, and what an objective may ask of it."""

from __future__ import annotations

import math

from fireproof.drillfile.drills import Draft, PlacedEntry
from fireproof.drillfile.findings import Findings
from fireproof.drillfile.tree import Items, Scalar, Table, child
from fireproof.drillfile.words import either, got, suggestion
from fireproof.model.load import PERCENTILES, Limits, Load, Observed, Slo, fewest
from fireproof.model.profile import PROFILES, SOAK_NS, arrivals, length_ns
from fireproof.model.quantity import format_duration

MOST_REQUESTS = 50_000_000  # 24 h at 500/s; every one of them is a row
_LOADED = {"slo": "slo", "requests": "requests"}


def check_loads(draft: Draft, findings: Findings) -> None:
    """Add every problem of the loads, and of objectives that are measured with them."""
    probes = child(draft.root, "probes")
    for load in draft.loads:
        if isinstance(probes, Table) and load.name in probes.entries:
            text = f"{load.name!r} is a probe already; a load needs a name of its own"
            findings.add(load.table.at, load.path, text)
        _stages(load, findings)
    for objective in draft.objectives:
        if objective.variant in _LOADED:
            _asks(objective, draft, findings)
            _window(objective, findings)
        if objective.variant == "growth":
            _unit(objective, findings)


def _stages(load: PlacedEntry, findings: Findings) -> None:
    table, path = load.table, load.path
    profile, stages = child(table, "profile"), child(table, "stages")
    if profile is None and (not isinstance(stages, Items) or not stages.nodes):
        if stages is None or isinstance(stages, Items):
            names = either(PROFILES)
            text = f"says nothing of its rate; add `profile:` ({names}) or `stages:`"
            findings.add(table.at, path, text)
        return
    if profile is not None and stages is not None:
        text = "expected `profile:` or `stages:`, got both; remove one"
        findings.add(stages.at, (*path, "stages"), text)
        return
    for key in ("for", "rate"):
        node = child(table, key)
        soak = isinstance(profile, Scalar) and profile.value == "soak"
        if node is not None and not soak:
            text = "only a soak takes this; another rate or length is written under `stages:`"
            findings.add(node.at, (*path, key), text)
    if not isinstance(load.value, Load):
        return
    shape = load.value.shape()
    if any(stage.length_ns == 0 for stage in shape):
        findings.add(table.at, path, "expected stages longer than 0s")
    elif load.value.timeout == 0:
        node = child(table, "timeout")
        findings.add(node.at if node else table.at, (*path, "timeout"), "expected more than 0s")
    elif (count := arrivals(shape)) > MOST_REQUESTS:
        text = f"makes {count} requests; expected at most {MOST_REQUESTS}"
        findings.add(table.at, path, text)


def _asks(objective: PlacedEntry, draft: Draft, findings: Findings) -> None:
    table, path = objective.table, objective.path
    source = child(table, "from")
    if not isinstance(source, Scalar) or not isinstance(source.value, str):
        return
    found = next((load for load in draft.loads if load.name == source.value), None)
    if found is None:
        names = {load.name for load in draft.loads}
        defined = child(draft.root, "load")
        if isinstance(defined, Table) and source.value in defined.entries:
            return  # it is there, wrongly, and that has been said
        text = f"no load is called {source.value!r}{suggestion(source.value, names)}"
        findings.add(source.at, (*path, "from"), text)
        return
    if not isinstance(found.value, Load):
        return
    load = found.value
    scenario = child(table, "scenario")
    if isinstance(scenario, Scalar) and load.scenarios and scenario.value not in load.scenarios:
        known = suggestion(str(scenario.value), load.scenarios)
        text = f"load {found.name!r} has no scenario {scenario.value!r}{known}"
        findings.add(scenario.at, (*path, "scenario"), text)
        return
    shape = load.shape()
    if not shape:
        return  # no rate: that has been said
    share = 1.0
    if isinstance(scenario, Scalar) and load.scenarios:
        share = load.scenarios[str(scenario.value)] / sum(load.scenarios.values())
    most = math.ceil(arrivals(shape) * share)
    if isinstance(objective.value, Slo) and (objective.value.at_least or 0) <= length_ns(shape):
        _samples(objective.value.slo, most, objective, findings)
    wanted = child(table, "requests", "at-least")
    if isinstance(wanted, Scalar) and isinstance(wanted.value, int) and wanted.value > most:
        text = f"expected at most the {most} requests that the load makes, got {got(wanted)}"
        findings.add(wanted.at, (*path, "requests", "at-least"), text)
    length = child(table, "at-least")
    asked = getattr(objective.value, "at_least", None)
    if length is not None and asked is not None and asked > max(length_ns(shape), _soak(load)):
        text = f"expected at most the {format_duration(length_ns(shape))} of the load"
        findings.add(length.at, (*path, "at-least"), f"{text}, got {got(length)}")


def _window(objective: PlacedEntry, findings: Findings) -> None:
    until, value = child(objective.table, "until"), objective.value
    if until is None or not isinstance(value, Observed) or value.until is None:
        return
    if value.until <= value.after:
        text = f"expected more than `after`, {format_duration(value.after)}, got {got(until)}"
        findings.add(until.at, (*objective.path, "until"), text)


def _samples(limits: Limits, most: int, objective: PlacedEntry, findings: Findings) -> None:
    """A percentile that the load is too short for could only be inconclusive."""
    needs = {
        name: fewest(PERCENTILES[name] / 100)
        for name, limit in limits.percentiles().items()
        if limit is not None
    }
    if limits.errors is not None:
        needs["errors"] = fewest(1 - limits.errors / 100)
    for name, needed in needs.items():
        node = child(objective.table, "slo", name)
        if needed > most and node is not None:
            text = f"takes {needed} requests to tell, and the load makes {most}"
            findings.add(node.at, (*objective.path, "slo", name), text)


def _soak(load: Load) -> int:
    """A soak may be cut short for a look; its objective is then inconclusive, not wrong."""
    return SOAK_NS if load.profile == "soak" else 0


def _unit(objective: PlacedEntry, findings: Findings) -> None:
    kind, limit = child(objective.table, "growth"), child(objective.table, "limit")
    if not isinstance(kind, Scalar) or objective.value is None or not isinstance(limit, Scalar):
        return
    sized = limit.text.removesuffix("/h").rstrip()[-1:] == "B"
    if sized != (kind.value == "rss"):
        example = "10MiB/h" if kind.value == "rss" else "5/h"
        text = f"expected a limit such as {example} for {kind.value}, got {got(limit)}"
        findings.add(limit.at, (*objective.path, "limit"), text)
