"""Small drills and experiments that ask both tools for the same."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.peers import fireproof, tool
from support.scenario import Scenario


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, on a disk."""
    folder = Path(tempfile.mkdtemp(prefix="fp-bench-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Both:
    """A project with a drill of one fault and some steps, and experiments of the same steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenario = Scenario(folder)
        self.chaos = tool("chaostoolkit", "chaos")

    def ours(self, name: str, steps: list[list[str]]) -> list[str]:
        """The call that runs these commands as durable steps, signed at the end."""
        drill: dict[str, Any] = self.scenario.drill()
        drill |= {"drill": name, "probes": {}, "baseline": {"for": "0s"}, "recover": []}
        drill["objectives"] = {"one": {"checks": [f"process {steps[0][0]}"]}}
        drill["fault"] = [{"pause": "tiny"}]
        drill["verify"] = [{"process": argv, "timeout": "60s"} for argv in steps]
        (self.folder / "drills").mkdir(exist_ok=True)
        (self.folder / "drills" / f"{name}.yaml").write_text(json.dumps(drill))
        (self.folder / "desk.yaml").write_text(yaml.safe_dump(self.scenario.environment()))
        return [fireproof(), "run", f"drills/{name}.yaml", "-e", "desk.yaml", "--quiet"]

    def theirs(self, name: str, steps: list[list[str]]) -> list[str]:
        """The call that runs them as actions of an experiment, unsigned."""
        actions = [
            {
                "type": "action",
                "name": f"step {number}",
                "provider": {"type": "process", "path": argv[0], "arguments": argv[1:]},
            }
            for number, argv in enumerate(steps)
        ]
        experiment = {"title": name, "description": name, "method": actions}
        (self.folder / f"{name}.json").write_text(json.dumps(experiment))
        journal = f"--journal-path={name}.journal"
        return [self.chaos, "--log-file", "chaos.log", "run", journal, f"{name}.json"]

    @property
    def environ(self) -> dict[str, str]:
        return self.scenario.environ


@contextmanager
def both() -> Iterator[Both]:
    with scratch() as folder:
        found = Both(folder)
        try:
            yield found
        finally:
            found.scenario.close()
