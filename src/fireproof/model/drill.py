"""A drill as its author wrote it: frozen, strict, units parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from fireproof.model.load import Growth, Load, Requests, Slo
from fireproof.model.params import Param, Value
from fireproof.model.promise import Promise
from fireproof.model.quantity import Duration, Rate
from fireproof.model.rule import parse_expression
from fireproof.model.schedule import Schedule
from fireproof.model.strict import ROWS as ROWS
from fireproof.model.strict import ControlId as ControlId
from fireproof.model.strict import Name as Name
from fireproof.model.strict import Row as Row
from fireproof.model.strict import Strict as Strict
from fireproof.model.strict import Text, unsaid

DEFAULT_STEP_TIMEOUT_NS = 60 * 10**9  # a step nobody thought about may not hold a drill for longer


class StepParams(Strict):
    """What every step, fault and check may carry; subclasses add a field named like the step.

    ``{playbook: restore.yml, timeout: 5m}`` is the params object of the step ``playbook``.
    """

    timeout: Duration = DEFAULT_STEP_TIMEOUT_NS
    title: str = ""
    save: Name | None = None  # keeps the step's value; later steps say {saved.NAME}

    def procedures(self) -> tuple[str, ...]:
        """Files or folders that must exist before anything is broken."""
        return ()

    def harm(self) -> Mapping[str, Any] | None:
        """A step that changes the system says how that is taken back: as a ``playbook`` fault
        would. None for one that leaves nothing behind.
        """
        return None


class FaultParams(StepParams):
    """A fault carries its expiry: how long it may stand at the most."""

    expires: Duration = 10 * 60 * 10**9


class Use(Strict):
    """One use of a step, fault or check: its kind and its validated parameters."""

    kind: str
    params: Mapping[str, Any]

    def label(self) -> str:
        """For people: the title, or the kind with its main argument."""
        title = self.params.get("title")
        main = self.params.get(self.kind)
        if title:
            return str(title)
        if isinstance(main, (list, tuple)) and main and all(isinstance(w, str) for w in main):
            main = " ".join([main[0].rpartition("/")[2], *main[1:]])
        if isinstance(main, Mapping):
            main = ", ".join(f"{key} {value}" for key, value in main.items() if value is not None)
        text = f"{self.kind} {main}" if isinstance(main, str) else self.kind
        return text if len(text) <= 80 else text[:79] + "…"


class Good(Strict):
    """What counts as a good answer; the time limit is part of it."""

    status: int = Field(default=200, ge=100, le=599)
    within: Duration | None = None
    contains: str | None = None


class HttpProbe(Strict):
    """Asks on its own clock; a fresh connection each time."""

    http: str
    every: Duration = 20 * 10**6
    timeout: Duration = 10**9
    good: Good = Good()


class InTime(Strict):
    """What counts as a good answer where an answer is all there is."""

    within: Duration | None = None


class TcpProbe(Strict):
    """Connects, says nothing, and hangs up; good is a connection, in time."""

    tcp: str  # host:port
    every: Duration = 20 * 10**6
    timeout: Duration = 10**9
    good: InTime = InTime()


class GoodRows(InTime):
    """``equals``: the one value that the query must return, as text; without it, any result."""

    equals: str | None = None


class SqlProbe(Strict):
    """Logs in and asks a component's database one query, each time anew.

    Not more often than it must: a fresh login each 20 ms loads what it measures.
    """

    sql: str
    on: Name
    every: Duration = 100 * 10**6
    timeout: Duration = 10**9
    good: GoodRows = GoodRows()


class CanaryProbe(Strict):
    """Writes numbered records through the client's path; presence is read from the store.

    ``query`` returns rows (key text, body text) of what is present in ``read_from``.
    """

    acknowledged_writes: str = Field(alias="acknowledged-writes")
    rate: Rate = 50.0
    timeout: Duration = 2 * 10**9
    read_from: str = Field(alias="read-from")
    query: str


class ResourcesProbe(Strict):
    """Reads what the processes of a component hold: memory, handles, threads, connections.

    The component's ``control:`` says where its pid is written; its children count with it.
    """

    resources: Name
    every: Duration = 10**9
    timeout: Duration = 5 * 10**9


AlertName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,200}$")]


class AlertRule(Strict):
    """``expr`` as in Prometheus: ``metric{label="value"} > 5`` or ``absent(metric)``; ``up`` is 0
    when the page cannot be read.
    """

    alert: AlertName
    expr: str
    for_: Duration = Field(default=0, alias="for")

    @field_validator("expr")
    @classmethod
    def _an_expression(cls, text: str) -> str:
        parse_expression(text)
        return text


class AlertProbe(Strict):
    """A webhook that waits for these alerts.

    With ``metrics`` and ``rules`` the probe evaluates them itself; without, ``listen`` is the port
    of 127.0.0.1 to which an Alertmanager of yours posts.
    """

    alerts: tuple[AlertName, ...] = Field(min_length=1)
    listen: int = Field(default=0, ge=0, le=65535)
    metrics: str | None = None
    rules: tuple[AlertRule, ...] = ()
    every: Duration = 250 * 10**6
    timeout: Duration = 10**9


class ProbeParams(Strict):
    """What every probe of a plug-in may carry; subclasses add a field named like the probe."""

    every: Duration = 100 * 10**6
    timeout: Duration = 10**9
    good: InTime = InTime()


class PluginProbe(Strict):
    """One use of a probe of another package: its kind and its validated parameters.

    A bundle is judged without that package: what was good stands in the samples.
    """

    kind: str
    params: Mapping[str, Any]
    every: Duration
    timeout: Duration
    good: InTime


def plugin_probe(kind: str, params: ProbeParams) -> PluginProbe:
    """The use of a plug-in's probe, defaults written out."""
    body = params.model_dump(mode="json", by_alias=True)
    common = {name: body.pop(name) for name in ProbeParams.model_fields}
    return PluginProbe.model_validate({"kind": kind, "params": body, **common})


ServiceProbe = HttpProbe | TcpProbe | SqlProbe | PluginProbe
"""What a recovery time can be measured with."""
Probe = HttpProbe | TcpProbe | SqlProbe | CanaryProbe | AlertProbe | ResourcesProbe | PluginProbe


class RecoveryTime(Promise):
    """RTO: ``clock`` says when it starts and what must hold at its end (docs: definitions)."""

    rto: Duration
    from_: Name = Field(alias="from")
    hold: Duration = 5 * 10**9
    clock: Literal["injection", "outage", "verified"] = "injection"
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class DataLoss(Promise):
    """RPO: age of the oldest lost acknowledged write, and (if given) how many may be lost."""

    rpo: Duration
    lost: int | None = Field(default=None, ge=0)
    from_: Name = Field(alias="from")
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class Detection(Promise):
    """MTTD: from the injection to the alert's arrival at our webhook. Recovery waits for it, at
    most for the limit: people act when they are told.
    """

    mttd: Duration
    from_: Name = Field(alias="from")
    alert: AlertName | None = None  # which, when the probe waits for several
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


class Timeline(Promise):
    """Injection, alert, acknowledgement, mitigation and recovery, in this order on one clock; the
    limit is for the time from the alert to the end of the last step of recovery.
    """

    mitigation: Duration
    detection: Name  # the objective (mttd) whose alert it is
    recovery: Name  # the objective (rto) that says when the service was back
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] = Field(default=(), exclude_if=unsaid)


RESIDUE, ABORT_CONDITIONS = "residue", "abort-conditions"
"""Checks that the runner itself makes where an objective names them."""


class CheckObjective(Promise):
    """These named checks all hold. At least one, each by the name its step gives it, or one of the
    runner's own: ``residue`` and ``abort-conditions``.

    ``covers`` names checklist rows for all of them, or for single ones by the check's name.
    """

    checks: tuple[str, ...] = Field(min_length=1)
    controls: tuple[ControlId, ...] = ()
    covers: tuple[Row, ...] | Mapping[str, tuple[Row, ...]] = Field(default=(), exclude_if=unsaid)


Objective = (
    RecoveryTime | DataLoss | Detection | Timeline | CheckObjective | Slo | Requests | Growth
)


class Baseline(Strict):
    """Time under observation before any harm, and what is prepared meanwhile."""

    for_: Duration = Field(default=5 * 10**9, alias="for")
    steps: tuple[Use, ...] = ()


class AbortWhen(Strict):
    """``PROBE.errors > N`` or ``PROBE.errors > N before fault``; watched all the time."""

    when: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.errors > \d+( before fault)?$"),
    ]


class Drill(Strict):
    """One rehearsed recovery."""

    drill: Name
    title: str
    owner: str
    kind: Literal["tabletop", "component", "functional", "full-scale"]
    cadence: Duration
    components: tuple[Name, ...] = Field(min_length=1)
    hypothesis: str
    probes: Mapping[Name, Probe] = {}
    load: Mapping[Name, Load] = Field(default={}, exclude_if=unsaid)
    objectives: Mapping[Name, Objective] = Field(min_length=1)
    preflight: tuple[Use, ...] = ()
    baseline: Baseline = Baseline()
    fault: tuple[Use, ...] = ()  # may be empty when no objective measures from the injection
    recover: tuple[Use, ...] = ()
    verify: tuple[Use, ...] = ()
    refuse: tuple[Use, ...] = ()
    abort: tuple[AbortWhen, ...] = ()
    params: Mapping[Name, Value | Param] = Field(default={}, exclude_if=unsaid)
    runbook: Text | None = Field(default=None, exclude_if=unsaid)
    roles: Mapping[Name, Text] = Field(default={}, exclude_if=unsaid)
    schedule: Schedule | None = Field(default=None, exclude_if=unsaid)
