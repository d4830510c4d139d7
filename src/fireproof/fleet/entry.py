"""A drill or game day with a schedule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fireproof.model.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """What is due when, and the drills that are missed when it is missed."""

    kind: Literal["drill", "gameday"]
    name: str
    title: str
    file: Path  # relative to the project
    schedule: Schedule
    drills: tuple[Path, ...]
    environment: str = "lab"
    extras: tuple[str, ...] = ("run", "lab")  # of fireproof, for a machine that has none yet

    @property
    def key(self) -> str:
        """Names files and units: ``drill-backup-restore``, ``gameday-quarterly--staging``."""
        base = f"{self.kind}-{self.name}"
        where = re.sub("[^a-z0-9]+", "-", Path(self.environment).stem.lower()).strip("-")
        return base if self.environment == "lab" else f"{base}--{where}"  # no name has two dashes

    @property
    def argv(self) -> tuple[str, ...]:
        """Arguments of fireproof that run it."""
        argv = ["run" if self.kind == "drill" else "gameday", str(self.file)]
        if self.environment != "lab":
            return (*argv, "--environment", self.environment)
        return (*argv, "--with-lab") if self.kind == "drill" else tuple(argv)

    @property
    def wake(self) -> tuple[str, ...]:
        """Arguments of fireproof for whoever keeps the time: run it if it is due."""
        where = () if self.environment == "lab" else ("--environment", self.environment)
        return ("schedule", "run", "--once", str(self.file), *where)
