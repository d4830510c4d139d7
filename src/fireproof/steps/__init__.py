"""What a drill can do: one file per outside tool, loaded when a drill names it.

``load_steps`` has the shape of an entry point group: a kind, and where its class is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fireproof.model.ports import Step

__all__ = ["STEPS", "load_steps"]

STEPS: Final[Mapping[str, str]] = {
    "check": "fireproof.steps.check:Check",
    "digest": "fireproof.steps.digest:Digest",
    "http": "fireproof.steps.http_request:HttpRequest",
    "manual": "fireproof.steps.manual:Manual",
    "playbook": "fireproof.steps.playbook:Playbook",
    "process": "fireproof.steps.process:Process",
    "pytest": "fireproof.steps.pytest_folder:PytestFolder",
    "refused": "fireproof.steps.refused:Refused",
    "same-digest": "fireproof.steps.same_digest:SameDigest",
    "sql": "fireproof.steps.sql:Sql",
    "wait-for": "fireproof.steps.wait_for:WaitFor",
}


def load_steps(kinds: Iterable[str] = STEPS) -> dict[str, Step]:
    """The steps of these kinds (all), ready to run. The tools behind them are not loaded yet."""
    found: dict[str, Step] = {}
    for kind in kinds:
        module, _, name = STEPS[kind].partition(":")
        found[kind] = getattr(import_module(module), name)()
    return found
