"""Where everything in a file stands, for problems that only show later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fireproof.drillfile.findings import At
from fireproof.drillfile.tree import Node, child
from fireproof.model.drill import Drill
from fireproof.model.params import InForce


@dataclass(frozen=True, slots=True)
class Marks:
    """Places in one file; without a tree everything stands at its top."""

    file: str
    root: Node | None = None

    def at(self, *path: str | int) -> At:
        """Place of what a path leads to, or of what is nearest above it."""
        for length in range(len(path), -1, -1):
            found = child(self.root, *path[:length])
            if found is not None:
                return found.at
        return At(1, 1)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A drill with the places of its parts, and the values that its params have."""

    drill: Drill
    marks: Marks
    params: Mapping[str, InForce] = field(default_factory=dict)
