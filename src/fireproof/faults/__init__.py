"""Harm on purpose, each with its undo. No heavy import: an undo runs in a fresh process.

``load_faults`` has the shape of an entry point group: a kind, and where its class is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fireproof.model.ports import Fault

__all__ = ["FAULTS", "load_faults"]

FAULTS: Final[Mapping[str, str]] = {
    "declare-lost": "fireproof.faults.declare_lost:DeclareLost",
    "black-hole": "fireproof.faults.toxic:BlackHole",
    "corrupt-file": "fireproof.faults.corrupt_file:CorruptFile",
    "kill": "fireproof.faults.kill:Kill",
    "latency": "fireproof.faults.toxic:Latency",
    "lose-data-directory": "fireproof.faults.lose_data_directory:LoseDataDirectory",
    "pause": "fireproof.faults.pause:Pause",
    "playbook": "fireproof.faults.playbook:PlaybookFault",
    "reset": "fireproof.faults.toxic:Reset",
    "stall": "fireproof.faults.toxic:Stall",
    "throttle": "fireproof.faults.toxic:Throttle",
}


def load_faults(kinds: Iterable[str] = FAULTS) -> dict[str, Fault]:
    """The faults of these kinds (all). pydantic is loaded only when ``params`` is asked for."""
    found: dict[str, Fault] = {}
    for kind in kinds:
        module, _, name = FAULTS[kind].partition(":")
        found[kind] = getattr(import_module(module), name)()
    return found
