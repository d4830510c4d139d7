"""A copy of the shipped drills beside a lab of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from proving_ground.lab import Lab
from support.scenario import Ran

HERE = Path(__file__).parents[2]


class LabProject:
    """Project folder with ``drills/`` and ``playbooks/``; its lab and evidence are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("drills", "playbooks"):
            shutil.copytree(HERE / name, folder / name)
        self.evidence = folder / "evidence"
        self._place = Path(tempfile.mkdtemp(prefix="fp-lab-", dir="/var/tmp"))
        self._place.chmod(0o755)
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("FIREPROOF_")
        } | {"FIREPROOF_LAB_DIR": str(self._place / "lab")}
        self.lab = Lab(self._place / "lab")

    def up(self) -> None:
        self.lab.up(scale=1, report=lambda text: None)

    def down(self) -> list[str]:
        left = self.lab.down(report=lambda text: None)
        shutil.rmtree(self._place, ignore_errors=True)
        return left

    def component(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.lab.environment()["components"][name]
        return found

    def ready(self, timeout_s: float = 20) -> bool:
        give_up_at = time.monotonic() + timeout_s
        while time.monotonic() < give_up_at:
            try:
                with urllib.request.urlopen(self.component("ledger-api")["url"] + "/readyz"):  # noqa: S310
                    return True
            except urllib.error.URLError:
                time.sleep(0.1)
        return False

    def drill(self, name: str = "backup-restore") -> dict[str, Any]:
        """The shipped drill, with a shorter baseline."""
        body: dict[str, Any] = _on(yaml.safe_load((HERE / "drills" / f"{name}.yaml").read_text()))
        if not str(body["baseline"]["for"]).startswith("{"):  # a profile has its own word on it
            body["baseline"]["for"] = "1s"
        return body

    def psql(self, sql: str) -> dict[str, Any]:
        """A step that changes the database as its owner would."""
        program = str(Path(self.component("ledger-db")["bin"]) / "psql")
        return {
            "process": [program, "{ledger-db.admin-dsn}", "-v", "ON_ERROR_STOP=1", "-c", sql],
            "timeout": "20s",
        }

    def run(self, drill: dict[str, Any]) -> Ran:
        drill["drill"] = "variant"
        # JSON is YAML that nobody reads in two ways: PyYAML would write the key `on` unquoted.
        (self.folder / "drills" / "variant.yaml").write_text(json.dumps(drill, indent=1))
        child = self.call("run", "drills/variant.yaml")
        results = sorted(self.evidence.glob("runs/*/result.json"))
        result = json.loads(results[-1].read_text()) if results else None
        return Ran(child.returncode, child.stdout, child.stderr, result)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fireproof", *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def verify(self, bundle: Path) -> int:
        return self.call("verify", str(bundle)).returncode


def _on(value: Any) -> Any:
    """What stock PyYAML, being of YAML 1.1, took for a truth value is the key `on`."""
    if isinstance(value, dict):
        return {"on" if key is True else key: _on(item) for key, item in value.items()}
    return [_on(item) for item in value] if isinstance(value, list) else value
