"""Where a probe asks, in the environment of the run."""

from __future__ import annotations

from typing import Any

from fireproof.errors import EnvironmentRefusal
from fireproof.model.drill import (
    AlertProbe,
    CanaryProbe,
    HttpProbe,
    PluginProbe,
    Probe,
    ResourcesProbe,
    SqlProbe,
)
from fireproof.model.environment import Environment, resolve


def probe_address(probe: Probe, environment: Environment) -> tuple[str, str]:
    """Kind of the probe as the journal calls it, and what it asks: URL, host:port, DSN, pid-file.

    Raises:
        EnvironmentRefusal: when the environment does not state it.
    """
    if isinstance(probe, CanaryProbe):
        return "canary", resolve(probe.acknowledged_writes, environment)
    if isinstance(probe, HttpProbe):
        return "http", resolve(probe.http, environment)
    if isinstance(probe, AlertProbe):
        return "alerts", resolve(probe.metrics or "", environment)
    if isinstance(probe, SqlProbe):
        dsn = environment.component(probe.on).get("dsn")
        if not dsn:
            raise EnvironmentRefusal(f"component {probe.on!r} has no `dsn` for an sql probe")
        return "sql", resolve(dsn, environment)
    if isinstance(probe, ResourcesProbe):
        control = environment.component(probe.resources).control
        if control is None:
            raise EnvironmentRefusal(f"component {probe.resources!r} has no `control:` with a pid")
        return "resources", control.pid_file
    if isinstance(probe, PluginProbe):
        return probe.kind, ""  # its own parameters say where
    return "tcp", resolve(probe.tcp, environment)


def located(probe: Probe, environment: Environment) -> Probe:
    """The probe with values in place of references, where its parameters may hold any.

    Raises:
        EnvironmentRefusal: when the environment does not state one.
    """
    if not isinstance(probe, PluginProbe):
        return probe

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return resolve(value, environment)
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value

    return probe.model_copy(update={"params": filled(dict(probe.params))})
