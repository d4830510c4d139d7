"""What a drill says about each fault; apart from the faults, so that an undo needs no pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from fireproof.model.drill import FaultParams, Name
from fireproof.model.quantity import Duration, Size
from fireproof.model.strict import unsaid


class KillParams(FaultParams):
    """``{kill: COMPONENT, signal: KILL}``."""

    kill: Name
    signal: Literal["KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV"] = "KILL"


class PauseParams(FaultParams):
    """``{pause: COMPONENT, expires: 1m}``."""

    pause: Name


class LoseDataDirectoryParams(FaultParams):
    """``{lose-data-directory: COMPONENT, expires: 10m}``."""

    lose_data_directory: Name = Field(alias="lose-data-directory")


class DeclareLostParams(FaultParams):
    """``{declare-lost: COMPONENT}``."""

    declare_lost: Name = Field(alias="declare-lost")


class CorruptFileParams(FaultParams):
    """``{corrupt-file: COMPONENT, file: base/16384/2619, places: 3, seed: 7}``, or ``at: 8192``.

    Every byte of a place is inverted, so that a corruption is never the same as what was there.
    """

    corrupt_file: Name = Field(alias="corrupt-file")
    file: str
    at: NonNegativeInt | None = None  # offset; without it, places chosen by the seed
    places: int = Field(default=1, ge=1, le=64)
    length: int = Field(default=1, ge=1, le=512)  # bytes of each place
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _one_way(self) -> CorruptFileParams:
        if self.at is not None and (self.places != 1 or self.seed != 0):
            raise ValueError("`at` is one place; leave `places` and `seed` out")
        return self


class ToxicParams(FaultParams):
    """What the faults of a TCP link share; the component is the proxy of that link."""

    direction: Literal["up", "down", "both"] = "both"  # up: from the client to the server

    def target(self) -> str:
        """The component."""
        raise NotImplementedError

    def toxic(self) -> tuple[str, dict[str, int]]:
        """Type and attributes, in the proxy's words."""
        raise NotImplementedError


class LatencyParams(ToxicParams):
    """``{latency: COMPONENT, delay: 200ms, jitter: 50ms}``; a delay for each direction."""

    latency: Name
    delay: Duration
    jitter: Duration = 0
    direction: Literal["up", "down", "both"] = "down"

    def target(self) -> str:
        return self.latency

    def toxic(self) -> tuple[str, dict[str, int]]:
        return "latency", {"latency": self.delay // 10**6, "jitter": self.jitter // 10**6}


class StallParams(ToxicParams):
    """``{stall: COMPONENT}``: bytes wait, and arrive when the fault is taken back."""

    stall: Name

    def target(self) -> str:
        return self.stall

    def toxic(self) -> tuple[str, dict[str, int]]:
        return "stall", {}


class BlackHoleParams(ToxicParams):
    """``{black-hole: COMPONENT}``: bytes are lost, and connections stay open without a word."""

    black_hole: Name = Field(alias="black-hole")

    def target(self) -> str:
        return self.black_hole

    def toxic(self) -> tuple[str, dict[str, int]]:
        return "timeout", {"timeout": 0}


class ThrottleParams(ToxicParams):
    """``{throttle: COMPONENT, rate: 64kB}``: so much a second in each direction."""

    throttle: Name
    rate: Size

    @model_validator(mode="after")
    def _in_the_proxys_unit(self) -> ThrottleParams:
        if self.rate < 1000:
            raise ValueError(f"rate: expected at least 1kB a second, got {self.rate}B")
        return self

    def target(self) -> str:
        return self.throttle

    def toxic(self) -> tuple[str, dict[str, int]]:
        return "bandwidth", {"rate": self.rate // 1000}


class ResetParams(ToxicParams):
    """``{reset: COMPONENT, after: 100ms}``: connections are reset that long after they began."""

    reset: Name
    after: Duration = 0
    direction: Literal["up", "down", "both"] = "down"

    def target(self) -> str:
        return self.reset

    def toxic(self) -> tuple[str, dict[str, int]]:
        return "reset_peer", {"timeout": self.after // 10**6}


class PlaybookFaultParams(FaultParams):
    """``{playbook: faults/break.yml, undo: faults/mend.yml, component: COMPONENT}``.

    ``present`` names a playbook that only looks: it succeeds when no trace of the fault is left,
    and fails when one is. Without it the undo is asked, in check mode, what it would change.
    ``expiry`` is a script that is left on the component's hosts before the harm, and run there
    when the fault has stood for as long as ``expires`` says; it undoes what the undo does.
    """

    playbook: str
    undo: str
    present: str | None = None
    expiry: str | None = Field(default=None, exclude_if=unsaid)
    component: Name
    vars: Mapping[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _has_an_undo(cls, data: Any) -> Any:
        if isinstance(data, dict) and "undo" not in data:
            raise ValueError(
                "'playbook' has no undo; add `undo:` with the playbook that reverses it"
            )
        return data

    def procedures(self) -> tuple[str, ...]:
        return (self.playbook, self.undo, *filter(None, (self.present, self.expiry)))
