"""What a drill says about each fault; apart from the faults, so that an undo needs no pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, model_validator

from fireproof.model.drill import FaultParams, Name


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
