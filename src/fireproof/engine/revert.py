"""Takes faults back, newest first, and asks afterwards whether anything is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fireproof.clock import monotonic_ns
from fireproof.errors import FireproofError
from fireproof.guard.standing import standing
from fireproof.model.ports import Fault
from fireproof.model.record import Record

ATTEMPTS = 3
UNDO_TIMEOUT_NS = 120 * 10**9

Note = Callable[..., object]
"""Appends to the journal if that can be done; never raises (``Cleanup.note``)."""


def revert_all(
    records: Sequence[Record], faults: Mapping[str, Fault], note: Note, *, recovered: bool
) -> bool:
    """Undo every standing fault; True when a look afterwards found none of them."""
    undone = [
        _revert(intent.data, faults, note, recovered=recovered)
        for intent in standing(list(records))
    ]
    return all(undone)


def _revert(
    data: dict[str, Any], faults: Mapping[str, Fault], note: Note, *, recovered: bool
) -> bool:
    number, undo = data["fault"], data["undo"]
    fault = faults.get(data["kind"])
    for attempt in range(1, ATTEMPTS + 1):
        note("revert-begin", fault=number, attempt=attempt)
        command = ""
        try:
            if fault is None:
                raise FireproofError(f"no fault of kind {data['kind']!r} is installed")
            command = fault.by_hand(undo)
            deadline_ns = monotonic_ns() + UNDO_TIMEOUT_NS
            observed = fault.undo(undo, recovered=recovered, deadline_ns=deadline_ns)
            left = fault.present(undo, recovered=recovered)
        except Exception as error:
            left = f"{type(error).__name__}: {error}"
        if left is None:
            note("reverted", fault=number, noop=recovered, observed=observed)
            return True
        note("revert-failed", fault=number, attempt=attempt, detail=left, command=command)
    return False


def look_for_residue(
    records: Sequence[Record], faults: Mapping[str, Fault], *, recovered: bool
) -> tuple[list[str], list[str]]:
    """Look once more at every fault of the run; what was looked at, and what is left."""
    looked, found = [], []
    for intent in (record.data for record in records if record.kind == "intent"):
        looked.append(str(intent["label"]))
        fault = faults.get(intent["kind"])
        try:
            left = fault.present(intent["undo"], recovered=recovered) if fault else "unknown fault"
        except Exception as error:
            left = f"could not be told: {type(error).__name__}: {error}"
        if left is not None:
            found.append(f"{intent['label']}: {left}")
    return looked, found
