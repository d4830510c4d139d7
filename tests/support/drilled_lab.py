"""A lab that is drilled, and killed, again and again; looked over after each time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.killing import (
    HARNESS,
    Kill,
    see_to_the_stopped,
    strike,
    wait_for_runner,
    wait_until_gone,
)
from support.lab_project import LabProject
from support.residue import Surroundings, contents

ENDS_WITHIN_S = 240.0
MEASURED = 3  # a busy machine spoils a run now and then: the canary is late


@dataclass(frozen=True)
class Killed:
    """What a killed call came to."""

    code: int
    said: str
    struck_ns: int | None  # None: the run had ended before
    took_s: float


class DrilledLab(LabProject):
    """Its runs have a TMPDIR and leases of their own, so that whatever is left is theirs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._scratch, self._notes = self._place / "tmp", self._place / "notes"
        for path in (self._scratch, self._notes):
            path.mkdir(mode=0o755)
        self._leases = self._place / "leases"
        self.environ |= {"TMPDIR": str(self._scratch), "FIREPROOF_LEASES": str(self._leases)}

    def put(self, name: str, drill: dict[str, Any]) -> None:
        """Write this variant of a drill."""
        # JSON is YAML that nobody reads in two ways: PyYAML would write the key `on` unquoted.
        (self.folder / "drills" / f"{name}.yaml").write_text(json.dumps(drill, indent=1))

    def surroundings(self) -> Surroundings:
        """Where to look after the next run; what lies there now may stay."""
        places = (self.lab.root, self.lab.folder.database)
        return Surroundings(
            evidence=self.evidence,
            leases=self._leases,
            known_by=(self.folder, self._place),
            servers=self._pids,
            alone=self._supervisor,
            ports=frozenset(self.lab.folder.ports()),
            scratch=self._scratch,
            places=places,
            there=contents(places),
        )

    def _pids(self) -> list[int]:
        """The servers on record."""
        found = [path.read_text().strip() for path in self.lab.folder.run.glob("*.pid")]
        return [int(text) for text in found if text]

    def _supervisor(self) -> list[int]:
        facts = json.loads((self.lab.folder.run / "supervisor.json").read_text())
        return [int(facts["pid"])]

    def measure(self, name: str) -> float:
        """Seconds that an undisturbed run takes; it has to pass."""
        for _ in range(MEASURED):
            began = time.monotonic()
            if self._start(name, {}).wait(ENDS_WITHIN_S) == 0:
                return time.monotonic() - began
            self.up()
        raise AssertionError(f"{name} does not pass undisturbed: {self._said()}")

    def _start(self, name: str, environ: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._notes / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "fireproof", "run", f"drills/{name}.yaml"],
                cwd=self.folder,
                env=self.environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def kill(self, name: str, kill: Kill, length_s: float) -> Killed:
        """Run the drill, strike, and wait until whoever was left has come to the end."""
        told = {
            word: self._notes / word for word in ("FIREPROOF_RUNNER_PID", "FIREPROOF_STRUCK_AT")
        }
        for path in told.values():
            path.unlink(missing_ok=True)
        environ = {"PYTHONPATH": str(HARNESS), **{word: str(path) for word, path in told.items()}}
        if kill.spec:
            environ["FIREPROOF_KILL_AT"] = kill.spec
        began = time.monotonic()
        child = self._start(name, environ)
        runner = wait_for_runner(told["FIREPROOF_RUNNER_PID"])
        assert runner is not None, self._said()
        struck_ns = None
        if kill.share is not None:
            struck_ns = strike(kill, child.pid, runner, began + kill.share * length_s)
        elif kill.signal == "STOP":
            self._wait_for(told["FIREPROOF_STRUCK_AT"], runner)
        see_to_the_stopped(kill, child.pid, runner)
        code = child.wait(ENDS_WITHIN_S)
        wait_until_gone(runner)  # one that outlived its guardian ends its run by itself
        if told["FIREPROOF_STRUCK_AT"].exists():
            struck_ns = int(told["FIREPROOF_STRUCK_AT"].read_text())
        return Killed(code, self._said(), struck_ns, time.monotonic() - began)

    @staticmethod
    def _wait_for(path: Path, runner: int) -> None:
        give_up_at = time.monotonic() + ENDS_WITHIN_S
        while not path.exists() and time.monotonic() < give_up_at:
            time.sleep(0.01)

    def _said(self) -> str:
        return (self._notes / "said").read_text(errors="replace")

    def forget(self) -> None:
        """Remove evidence of earlier runs, and copies of the database that nothing serves from."""
        for part in ("runs", "bundles"):
            shutil.rmtree(self.evidence / part, ignore_errors=True)
        serving = Path(self.component("ledger-db")["data-directory"])
        for path in self.lab.folder.database.iterdir():
            if path != serving:
                shutil.rmtree(path)

    def serves(self) -> list[str]:
        """Why clients are not served, if so: every server there, a write taken and read."""
        status = self.lab.status()
        if status is None:
            return ["the lab is gone"]
        wrong = [f"{name} does not run" for name, one in status.items() if not one["pid"]]
        if wrong or not self.ready():
            return wrong or ["/readyz is not good"]
        url = self.component("ledger-api")["url"] + "/v1/after-the-kill/events"
        event = {"key": f"{time.monotonic_ns()}", "body": "still here?"}
        asked = urllib.request.Request(  # noqa: S310
            url, json.dumps(event).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            taken = json.loads(answer.read())
        with urllib.request.urlopen(f"{url}/{taken['seq']}", timeout=10) as answer:  # noqa: S310
            found = json.loads(answer.read())
        return [] if found["key"] == event["key"] else [f"wrote {event}, read {found}"]
