"""Protocols through which the command line introduces rooms that never meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fireproof.model.drill import FaultParams, ProbeParams, StepParams
from fireproof.model.environment import Environment
from fireproof.model.judgement import Judgement
from fireproof.model.plan import Plan
from fireproof.model.record import Record


@dataclass(frozen=True, slots=True)
class Check:
    """A comparison that was made; ``ok`` None when it could not be told."""

    name: str
    ok: bool | None
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to. ``ok`` None: could not be told (for example: no tests collected)."""

    ok: bool | None
    detail: str  # one line for people
    checks: tuple[Check, ...] = ()
    saved: str | None = None  # the step's value, kept when the drill says ``save:``
    files: tuple[str, ...] = ()  # relative to the bag, e.g. data/outputs/verify-00/stdout.txt


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step may know and touch."""

    run: str
    project: Path  # paths in drill files are relative to this
    environment: Environment
    bag: Path  # bag root; files belong under bag/data
    outputs: str  # this step's own folder, relative to the bag: data/outputs/<phase>-<nn>-<kind>
    deadline_ns: int  # CLOCK_MONOTONIC; the step ends itself by then, with its whole process tree
    saved: Mapping[str, str] = field(default_factory=dict)  # values of earlier ``save:`` steps
    beat: Callable[[], None] = lambda: None  # call at least once a second while waiting
    secret: Callable[[str], bool] = lambda text: False  # whether a known secret stands in a text
    mailbox: Path | None = None  # where somebody may acknowledge this step; outside the bag


class Step(Protocol):
    """Does one thing. Returns a result for whatever the system did; raises StepError only when
    the step itself could not be carried out.
    """

    kind: str
    params: type[StepParams]

    def run(self, params: Any, context: StepContext) -> StepResult: ...


class ProbePlugin(Protocol):
    """A probe of another package. Lives in the probe's own process, where ``ask`` is called from
    several threads, one a question, each at its own due time.
    """

    kind: str
    params: type[ProbeParams]

    def ask(self, params: Any, deadline_ns: int) -> str:
        """Ask once: "" when all is well, else one line on why not. References are resolved.

        Returns by ``deadline_ns`` (CLOCK_MONOTONIC): one that does not ends the probe. Raises
        ConnectionError, TimeoutError or OSError as they come; each is an answer that is not good.
        """
        ...


class Fault(Protocol):
    """Harm with its undo. ``prepare`` touches nothing and returns the self-contained undo: JSON
    that ``undo`` needs and nothing else, so that a fresh process can run it years later.
    ``undo`` is idempotent and safe when the fault was never applied. ``present`` only looks.
    """

    kind: str
    params: type[FaultParams]

    def component(self, params: Any) -> str: ...
    def prepare(self, params: Any, context: StepContext) -> dict[str, Any]: ...
    def apply(self, undo: dict[str, Any], context: StepContext) -> str:
        """Do the harm that ``prepare`` described; returns one line on what was done."""
        ...

    def undo(self, undo: dict[str, Any], *, recovered: bool, deadline_ns: int) -> str:
        """Take the harm back, or say why nothing is left to take back (``recovered``: a verified
        recovery replaced what the fault broke).
        """
        ...

    def present(self, undo: dict[str, Any], *, recovered: bool) -> str | None:
        """None when no trace of the fault is left; otherwise one line on what is."""
        ...

    def by_hand(self, undo: dict[str, Any]) -> str:
        """Shell command that a person runs when ``undo`` keeps failing."""
        ...


@runtime_checkable
class Armed(Protocol):
    """A fault whose way out on the target takes a while to set up: called after the intent is
    durable and before the harm and its clock; what it sets up, ``undo`` takes away.
    """

    def arm(self, undo: dict[str, Any], context: StepContext) -> None: ...


class RunningProbe(Protocol):
    """A probe in its own process."""

    name: str
    kind: str
    file: str  # relative to the bag
    pid: int

    def errors(self) -> int:
        """Observations that were not good so far (canary: not acknowledged)."""
        ...

    def observations(self) -> int: ...

    def good_since(self) -> int | None:
        """CLOCK_MONOTONIC ns since which every answer was good, None if the last was not."""
        ...

    def alive(self) -> bool: ...

    def stop(self, timeout_s: float = 10.0) -> tuple[bool, int]:
        """End it; (clean, rows): clean is False when it died or was late in writing its last."""
        ...


@dataclass(frozen=True, slots=True)
class LoadMinute:
    """What a load says of itself once a minute, for people."""

    rate: float  # requests ended, a second
    p99_ms: float | None
    slots: int  # that have come due so far
    errors: int


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """How a load came to its end. ``clean``: in order, with a row for every request."""

    clean: bool
    files: tuple[str, ...]  # relative to the bag, one a process
    slots: int
    rows: int
    complaint: str


class RunningLoad(Protocol):
    """A load in its own processes."""

    name: str
    start_ns: int  # CLOCK_MONOTONIC of the profile's beginning

    @property
    def pids(self) -> tuple[int, ...]: ...
    def errors(self) -> int: ...
    def observations(self) -> int: ...
    def alive(self) -> bool: ...
    def over(self) -> bool: ...
    def minute(self) -> LoadMinute | None: ...
    def stop(self) -> LoadEnded: ...


class Secrets(Protocol):
    """Keeps what a run was trusted with out of everything that is written."""

    def reveal(self) -> Environment:
        """The environment with values in place of references; it stays in memory."""
        ...

    def redact(self, value: Any) -> Any:
        """The same JSON data without secrets."""
        ...

    def holds(self, text: str) -> bool: ...

    def guards(self) -> bool:
        """Whether there is any secret to keep."""
        ...

    def keep(self, source: Path, target: Path) -> None:
        """Copy a file without the secrets in it."""
        ...


class Judge(Protocol):
    """Pure: same plan, records and sample bytes, same judgement."""

    def __call__(
        self, plan: Plan, records: Sequence[Record], samples: Mapping[str, bytes]
    ) -> Judgement: ...


class Signer(Protocol):
    """Signs a payload in its own process and returns a whole Sigstore bundle as bytes."""

    @property
    def key_id(self) -> str: ...

    def sign(self, payload_type: str, payload: bytes) -> bytes: ...
    def close(self) -> None: ...


Observer = Callable[[Record], None]
"""Told of each record after it is durable."""
