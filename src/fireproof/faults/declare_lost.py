"""``declare-lost``: nothing is harmed; from this moment the component counts as lost.

For a database that only a DSN reaches: the restore to another place is rehearsed and timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal
from fireproof.faults.base import LateParams, Undo, recorded

if TYPE_CHECKING:
    from fireproof.faults.params import DeclareLostParams
    from fireproof.model.ports import StepContext


class DeclareLost(LateParams):
    """Starts the clock and touches nothing, so there is nothing to take back."""

    kind = "declare-lost"

    def component(self, params: DeclareLostParams) -> str:
        return params.declare_lost

    def prepare(self, params: DeclareLostParams, context: StepContext) -> dict[str, Any]:
        name = params.declare_lost
        if self.kind not in context.environment.component(name).faults:
            place = context.environment.environment
            raise EnvironmentRefusal(
                f"environment {place!r} does not allow {self.kind!r} on {name!r}"
            )
        return {"kind": self.kind, "component": name, "run": context.run}

    def apply(self, undo: Undo, context: StepContext) -> str:
        return f"{recorded(undo, 'component')} counts as lost from here; it was not touched"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        return f"{recorded(undo, 'component')} was never touched"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        return None

    def by_hand(self, undo: Undo) -> str:
        return "true  # nothing was touched"
