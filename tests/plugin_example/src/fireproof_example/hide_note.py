"""``hide-note``: renames the component's answer; the undo renames it back."""

from __future__ import annotations

import os
import shlex
from typing import Any

from pydantic import Field

from fireproof.errors import EnvironmentRefusal
from fireproof.model.drill import FaultParams, Name
from fireproof.model.ports import StepContext


class HideNoteParams(FaultParams):
    """``{hide-note: COMPONENT}``."""

    hide_note: Name = Field(alias="hide-note")


class HideNote:
    """A fault of one's own."""

    kind = "hide-note"
    params = HideNoteParams

    def component(self, params: HideNoteParams) -> str:
        return params.hide_note

    def prepare(self, params: HideNoteParams, context: StepContext) -> dict[str, Any]:
        path = context.environment.component(params.hide_note).get("note")
        if not path:
            raise EnvironmentRefusal(f"{params.hide_note} has no `note`")
        return {"kind": self.kind, "note": path, "aside": f"{path}.aside-{context.run}"}

    def apply(self, undo: dict[str, Any], context: StepContext) -> str:
        os.rename(undo["note"], undo["aside"])
        return f"hid {undo['note']}"

    def undo(self, undo: dict[str, Any], *, recovered: bool, deadline_ns: int) -> str:
        if os.path.exists(undo["aside"]):
            os.replace(undo["aside"], undo["note"])
        return f"{undo['note']} is back"

    def present(self, undo: dict[str, Any], *, recovered: bool) -> str | None:
        return f"{undo['note']} is hidden" if os.path.exists(undo["aside"]) else None

    def by_hand(self, undo: dict[str, Any]) -> str:
        return shlex.join(["mv", undo["aside"], undo["note"]])
