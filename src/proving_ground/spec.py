"""How one server of the lab is run: what ``up`` writes down and the supervisor carries out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One server. ``{key}`` in argv and env stands for a parameter of ``start``."""

    name: str
    argv: tuple[str, ...]
    ready: Mapping[str, str]  # kind: postgres (port) | http (url) | tcp (port) | beat (path)
    env: Mapping[str, str] = field(default_factory=dict)
    # Variable: file that its value is read from at start. Secrets stay out of argv and of this.
    env_files: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None  # uid, gid; None: as the supervisor
    stop: Mapping[str, str] = field(default_factory=lambda: {"fast": "SIGTERM"})  # first: default
    params: Mapping[str, str] = field(default_factory=dict)  # what ``start`` accepts, with defaults
    owned: tuple[str, ...] = ()  # parameters naming folders that the server's user must own
    within_s: float = 30.0

    def write(self, folder: Path) -> None:
        """Put it where the supervisor looks, whole or not at all."""
        path = folder / f"{self.name}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=2), "utf-8")
        fresh.chmod(0o600)
        os.replace(fresh, path)


def load_spec(path: Path) -> ServerSpec:
    """The spec that ``write`` stored."""
    raw = json.loads(path.read_text("utf-8"))
    raw["argv"] = tuple(raw["argv"])
    raw["owned"] = tuple(raw["owned"])
    raw["user"] = tuple(raw["user"]) if raw["user"] else None
    return ServerSpec(**raw)
