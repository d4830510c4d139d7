"""One small server a test, with its own pid-file and folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fireproof.faults import FAULTS
from fireproof.faults.server import running
from fireproof.model.ports import StepContext
from fireproof.processes import ProcessId, kill_tree
from support import small_server
from support.scenario import Scenario
from support.steps import step_context


@dataclass(frozen=True, slots=True)
class Server:
    """The component ``db``, and a context in which drills may break it."""

    home: Path
    context: StepContext

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def aside(self) -> Path:
        return self.home / f"data.aside-{self.context.run}"

    def now(self) -> ProcessId | None:
        return running(str(self.home / "pid"))


def place(home: Path, project: Path, timeout_s: float = 10, **more: Any) -> StepContext:
    """A context with ``db`` as its component."""
    base = [sys.executable, small_server.__file__]
    db = {
        "kind": "small",
        "data-directory": str(home / "data"),
        "control": {
            "stop": [*base, "stop", str(home)],
            "start": [*base, "start", str(home)],
            "pid-file": str(home / "pid"),
        },
        "faults": list(FAULTS),
    }
    return step_context(project, {"db": db | more}, timeout_s=timeout_s)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    home, project = tmp_path / "server home", tmp_path / "project"
    (home / "data").mkdir(parents=True)
    (home / "data" / "rows").write_text("1000")
    project.mkdir()
    made = Server(home, place(home, project))
    control = made.context.environment.component("db").control
    assert control is not None
    subprocess.run(control.start, check=True)
    try:
        yield made
    finally:
        while who := made.now():
            kill_tree(who.pid)


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()
