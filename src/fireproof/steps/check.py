"""``check``: what must be true of the machine before a drill may start, by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import Field

from fireproof.model.drill import StepParams
from fireproof.model.ports import Check as Found
from fireproof.model.ports import StepContext, StepResult
from fireproof.model.quantity import Size
from fireproof.steps.outputs import fill


class CheckParams(StepParams):
    """``{check: disk-free, at-least: 2GiB, path: "{ledger-db.data-directory}"}``."""

    check: Literal["disk-free"]
    at_least: Size = Field(alias="at-least")
    path: str = "."


def _size(count: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def disk_free(params: CheckParams, context: StepContext) -> Found:
    """Bytes an ordinary user may still write where ``path`` is."""
    name, expected = params.title or "disk-free", f"at least {_size(params.at_least)} free"
    path = context.project / fill(params.path, context)
    try:
        disk = os.statvfs(path)
    except OSError as err:
        return Found(name, None, expected, f"cannot look at {path}: {err.strerror}")
    free = disk.f_bavail * disk.f_frsize
    return Found(name, free >= params.at_least, expected, f"{_size(free)} free at {path}")


CHECKS: Final[Mapping[str, Callable[[CheckParams, StepContext], Found]]] = {"disk-free": disk_free}


class Check:
    """Looks, and says what it expected and what it saw."""

    kind = "check"
    params: type[StepParams] = CheckParams

    def run(self, params: CheckParams, context: StepContext) -> StepResult:
        found = CHECKS[params.check](params, context)
        return StepResult(found.ok, f"{found.observed}; expected {found.expected}", (found,))
