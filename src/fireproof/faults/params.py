"""What a drill says about each fault; apart from the faults, so that an undo needs no pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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


class DeclareLostParams(FaultParams):
    """``{declare-lost: COMPONENT}``."""

    declare_lost: Name = Field(alias="declare-lost")
