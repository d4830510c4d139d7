"""Where a component is built: the lab's folder, its ports, its supervisor, what stands already."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fireproof.errors import EnvironmentRefusal
from proving_ground import ctl
from proving_ground.folder import LabFolder
from proving_ground.ledger import defects
from proving_ground.spec import ServerSpec

Report = Callable[[str], None]
PYTHON = (sys.executable, "-P", "-m", "proving_ground")


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a component."""

    says: dict[str, Any]  # its part of the environment: text, never a secret itself
    port: int | None = None  # shown by `lab status`
    runs: bool = True  # False: a drill that wants it starts it
    record: Mapping[str, str] = field(default_factory=dict)  # versions and digests
    aside: Mapping[str, str] = field(default_factory=dict)  # for components that build upon it


class Site:
    """One building of components in one lab; ``facts`` is what ``lab.json`` holds."""

    def __init__(
        self,
        folder: LabFolder,
        facts: dict[str, Any],
        ports: Mapping[str, int],
        user: tuple[int, int] | None,
        report: Report,
    ) -> None:
        self.folder, self.user, self.report = folder, user, report
        self.root = folder.root
        self.scale: int = facts["scale"]
        self.started: list[str] = []  # taken back when the building fails
        self._facts, self._ports = facts, ports

    def port(self, name: str) -> int:
        """The free port that was taken under that name of ``Component.ports``."""
        return self._ports[name]

    def says(self, name: str) -> dict[str, Any] | None:
        """The environment's part of a component that is needed; None when it was left out."""
        found: dict[str, Any] | None = self._facts["environment"]["components"].get(name)
        return found

    def aside(self, name: str) -> Mapping[str, str]:
        """What a component that is needed leaves for those which build upon it."""
        found: Mapping[str, str] = self._facts["aside"].get(name, {})
        return found

    def defects(self, process: str) -> tuple[str, ...]:
        """The words on the command line that switch the lab's defects on in such a process."""
        names: list[str] = self._facts["defects"]
        ours = [name for name in names if defects.DEFECTS[name].process == process]
        return tuple(word for name in ours for word in ("--defect", name))

    def command(self, name: str, part: str) -> str:
        """A script that calls that part of the proving ground, with the lab's defects of it."""
        words = shlex.join([*PYTHON, part, *self.defects(part)])
        return str(self.folder.script(name, f'#!/bin/sh\nexec {words} "$@"\n'))

    def declare(self, spec: ServerSpec) -> None:
        """Let the supervisor know the server, without starting it."""
        spec.write(self.folder.servers)
        self.started.append(spec.name)

    def start(self, spec: ServerSpec) -> None:
        """Start it; returns when it is ready.

        Raises:
            EnvironmentRefusal: with the last lines of its log.
        """
        self.declare(spec)
        answer = ctl.ask(str(self.root), {"act": "start", "name": spec.name})
        if not answer["ok"]:
            log = "".join(f"\n  {line}" for line in answer.get("log", ()))
            raise EnvironmentRefusal(answer["text"] + log)

    def take_back(self) -> None:
        """End what this building started, newest first, and forget it."""
        for name in reversed(self.started):
            ctl.ask(str(self.root), {"act": "stop", "name": name, "params": {"mode": "immediate"}})
            (self.folder.servers / f"{name}.json").unlink(missing_ok=True)

    def common(self, name: str) -> dict[str, Any]:
        """What every supervised component states: how to control it, and its log."""
        command = [*PYTHON, "ctl", "--root", str(self.root)]
        script = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
        return {
            "log": str(self.folder.log / f"{name}.log"),
            "ctl": str(self.folder.script("ctl", script)),
            "control": {
                "stop": [*command, "stop", name],
                "start": [*command, "start", name],
                "pid-file": str(self.folder.run / f"{name}.pid"),
            },
        }


@dataclass(frozen=True, slots=True)
class Component:
    """How a component comes to be."""

    name: str
    build: Callable[[Site], Built | None]  # None: left out here, as a setting of the user's says
    needs: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


def sha256(path: Path) -> str:
    """Hex digest of a file, for the record."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
