"""``note-says``: a probe of one's own; good is a note with the right words."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fireproof.model.drill import ProbeParams


class NoteSaysParams(ProbeParams):
    """``{note-says: PATH, words: TEXT}``."""

    note_says: str = Field(alias="note-says")
    words: str


class NoteSays:
    """Asked each time anew; a note that is not there raises, which is no good answer."""

    kind = "note-says"
    params = NoteSaysParams

    def ask(self, params: NoteSaysParams, deadline_ns: int) -> str:
        text = Path(params.note_says).read_text("utf-8").strip()
        return "" if text == params.words else f"the note says {text!r}"
