"""``read-note``: reads a file and checks what it says."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fireproof.model.drill import StepParams
from fireproof.model.environment import resolve
from fireproof.model.ports import Check, StepContext, StepResult


class ReadNoteParams(StepParams):
    """``{read-note: PATH, says: TEXT}``."""

    read_note: str = Field(alias="read-note")
    says: str


class ReadNote:
    """A step of one's own."""

    kind = "read-note"
    params = ReadNoteParams

    def run(self, params: ReadNoteParams, context: StepContext) -> StepResult:
        path = Path(resolve(params.read_note, context.environment, context.saved))
        text = path.read_text("utf-8").strip() if path.exists() else "nothing"
        check = Check("note", text == params.says, params.says, text)
        return StepResult(check.ok, f"the note says {text!r}", (check,))
