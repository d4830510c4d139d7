"""Whether a drill fits an environment: everything it names is there, its faults are allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fireproof.drillfile.findings import Findings, Path
from fireproof.drillfile.marks import Marks
from fireproof.drillfile.uses import main_component
from fireproof.drillfile.words import suggestion
from fireproof.errors import Problem
from fireproof.model.drill import (
    CanaryProbe,
    Drill,
    PluginProbe,
    ResourcesProbe,
    SqlProbe,
    Use,
)
from fireproof.model.environment import Environment, references

_FOR_PEOPLE = frozenset({"title", "save"})  # never resolved
# Keys that say where something is. What they refer to may still hold a password; the step that
# would put it on a command line looks again, and refuses.
_WHERE = frozenset({"url", "host", "port", "bucket", "region", "endpoint", "user", "dbname"})
# Servers that these stop or freeze are started again by the component's own commands.
_NEED_CONTROL = frozenset({"kill", "pause", "lose-data-directory"})


def check_environment(
    drill: Drill, environment: Environment, marks: Marks | None = None
) -> tuple[Problem, ...]:
    """What keeps the drill from running there, in the order of its file; empty when it fits.

    Args:
        drill: what would be run.
        environment: where.
        marks: places in the drill's file; without them problems name its top.
    """
    return _Fitting(environment, marks or Marks(f"drill {drill.drill}")).problems(drill)


class _Fitting:
    def __init__(self, environment: Environment, marks: Marks) -> None:
        self._environment = environment
        self._marks = marks
        self._findings = Findings(marks.file)

    def problems(self, drill: Drill) -> tuple[Problem, ...]:
        for index, name in enumerate(drill.components):
            self._component(name, ("components", index))
        for name, probe in drill.probes.items():
            data = probe.model_dump(mode="json", by_alias=True)
            if isinstance(probe, PluginProbe):
                data = data["params"]  # as its file has it
            self._texts(_texts(data, ("probes", name)))
            if isinstance(probe, CanaryProbe):
                self._component(probe.read_from, ("probes", name, "read-from"))
            if isinstance(probe, SqlProbe) and self._component(probe.on, ("probes", name, "on")):
                self._key(probe.on, "dsn", ("probes", name, "on"))
            if isinstance(probe, ResourcesProbe):
                self._pid(probe.resources, ("probes", name, "resources"))
        for name, load in drill.load.items():
            texts = {"target": load.target, "headers": dict(load.headers)}
            self._texts(_texts(texts | {"options": dict(load.options)}, ("load", name)))
        phases = {
            ("preflight",): drill.preflight,
            ("baseline", "steps"): drill.baseline.steps,
            ("fault",): drill.fault,
            ("recover",): drill.recover,
            ("verify",): drill.verify,
            ("refuse",): drill.refuse,
        }
        for phase, uses in phases.items():
            for index, use in enumerate(uses):
                params = {key: use.params[key] for key in use.params if key not in _FOR_PEOPLE}
                self._texts(_texts(params, (*phase, index)))
                if use.kind == "process":
                    self._command_line(use, (*phase, index, "process"))
                if use.kind == "playbook" and "undo" in use.params and phase != ("fault",):
                    self._fault(use, (*phase, index))  # what has an undo is harm
        for index, fault in enumerate(drill.fault):
            self._fault(fault, ("fault", index))
        return self._findings.problems()

    def _add(self, path: Path, text: str) -> None:
        self._findings.add(self._marks.at(*path), path, text)

    def _component(self, name: str, path: Path) -> bool:
        there = self._environment.components
        if name not in there:
            where = f"environment {self._environment.environment!r}"
            self._add(path, f"{where} has no component {name!r}{suggestion(name, there)}")
        return name in there

    def _texts(self, texts: Iterable[tuple[Path, str]]) -> None:
        for path, text in texts:
            for owner, key in references(text):
                if owner != "saved" and self._component(owner, path):
                    self._key(owner, key, path)

    def _key(self, owner: str, key: str, path: Path) -> None:
        component = self._environment.components[owner]
        if component.get(key) is None:
            known = ["kind", *(component.model_extra or {})]
            self._add(path, f"component {owner!r} has no {key!r}{suggestion(key, known)}")

    def _pid(self, name: str, path: Path) -> None:
        if self._component(name, path) and self._environment.components[name].control is None:
            text = (
                f"component {name!r} has no `control:` in environment "
                f"{self._environment.environment!r}; its pid-file says whose resources to read"
            )
            self._add(path, text)

    def _command_line(self, use: Use, path: Path) -> None:
        """Every user of a host reads the arguments of every process there."""
        for place, text in _texts(use.params.get("process"), path):
            for owner, key in references(text):
                if key not in _WHERE and self._environment.is_secret(owner, key):
                    reference = f"{{{owner}.{key}}}"
                    said = (
                        f"{reference!r} is kept elsewhere and may be a secret, which may not stand "
                        "on a command line; hand it over under `env:`"
                    )
                    self._add(place, said)

    def _fault(self, fault: Use, path: Path) -> None:
        named = main_component(fault.params, fault.kind)
        if named is None or not self._component(named[1], (*path, named[0])):
            return
        key, name = named
        allowed = self._environment.components[name].faults
        if fault.kind not in allowed:
            where = f"environment {self._environment.environment!r}"
            may = f"allowed there: {', '.join(allowed)}" if allowed else "no fault is"
            text = f"{fault.kind!r} is not allowed on {name!r} in {where}; {may}"
            self._add((*path, key), text)
        elif fault.kind in _NEED_CONTROL and self._environment.components[name].control is None:
            text = (
                f"{fault.kind!r} needs `control:` on {name!r}, which environment "
                f"{self._environment.environment!r} does not give; an external DSN without host "
                "access permits restore-to-scratch only: use declare-lost, and restore elsewhere"
            )
            self._add((*path, key), text)
        hosts = self._environment.components[name].hosts
        if hosts and fault.kind == "playbook" and not fault.params.get("expiry"):
            text = (
                f"{name!r} lives on {', '.join(hosts)}; add `expiry:` with a script that undoes "
                "the harm there when nobody can come back"
            )
            self._add((*path, key), text)


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in JSON data with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _texts(below, (*path, index))
