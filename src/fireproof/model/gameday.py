"""A game day: several drills, in order."""

from __future__ import annotations

from pydantic import Field

from fireproof.model.drill import Name, Strict
from fireproof.model.schedule import Schedule


class GameDay(Strict):
    """Names of drills, as their files call them."""

    gameday: Name
    title: str
    drills: tuple[Name, ...] = Field(min_length=1)
    schedule: Schedule | None = None
