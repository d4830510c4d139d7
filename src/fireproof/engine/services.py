"""What the engine is given by the command line, so that it knows no tool by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fireproof.model.drill import Probe
from fireproof.model.judgement import Judgement
from fireproof.model.load import Load
from fireproof.model.ports import Fault, Observer, RunningLoad, RunningProbe, Secrets, Step


class StartProbe(Protocol):
    """Starts a probe in its own process."""

    def __call__(
        self, name: str, probe: Probe, *, url: str, run: str, bag: Path, file: str
    ) -> RunningProbe: ...


class StartLoad(Protocol):
    """Starts a load in its own processes."""

    def __call__(
        self,
        name: str,
        load: Load,
        *,
        target: str,
        headers: dict[str, str],
        project: Path,
        bag: Path,
    ) -> RunningLoad: ...


class ReadPresent(Protocol):
    """Reads what a store holds of a canary; (before_ns, after_ns, rows)."""

    def __call__(
        self, dsn: str, query: str, path: Path, *, deadline_ns: int
    ) -> tuple[int, int, int]: ...


@dataclass(frozen=True, slots=True)
class SealedBundle:
    """Where a bundle came to rest, and the digest that names it."""

    path: Path
    identity: str


class Seal(Protocol):
    """Turns a finished bag into a sealed bundle, read back from disk."""

    def __call__(self, bag: Path, *, run: str, run_record: dict[str, Any]) -> SealedBundle: ...


@dataclass(frozen=True, slots=True)
class Services:
    """The neighbours that the engine works with."""

    steps: Mapping[str, Step]
    faults: Mapping[str, Fault]
    start_probe: StartProbe
    start_load: StartLoad
    read_present: ReadPresent
    judge_bag: Callable[[Path], Judgement]
    sign_plan: Callable[[Path, dict[str, Any]], str]  # writes plan.json, signed; its sha256
    seal: Seal
    observe: Observer
    secrets: Secrets
