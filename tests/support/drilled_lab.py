"""A lab that is drilled, and killed, again and again; looked over after each time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from support.killing import (
    HARNESS,
    Kill,
    see_to_the_stopped,
    strike,
    strike_when,
    wait_for_runner,
    wait_until_gone,
)
from support.lab_project import LabProject
from support.moments import SEEN
from support.residue import Surroundings, contents
from support.standing_lab import serving_from

ENDS_WITHIN_S = 240.0
_RUN = (sys.executable, "-m", "fireproof", "run")
MEASURED = 3  # a busy machine spoils a run now and then
RAN_TO_ITS_END = (0, 1, 6)  # whatever was promised of it


@dataclass(frozen=True)
class Killed:
    """What a killed call came to."""

    code: int
    said: str
    struck_ns: int | None  # None: the run had ended before
    took_s: float


class DrilledLab(LabProject):
    """Its runs have a TMPDIR and leases of their own, so that whatever is left is theirs."""

    def __init__(self, folder: Path, named: Iterable[str]) -> None:
        super().__init__(folder)
        self._components = self.lab.for_drills(named)
        self._scratch, self._notes = self._place / "tmp", self._place / "notes"
        for path in (self._scratch, self._notes):
            path.mkdir(mode=0o755)
        self._leases = self._place / "leases"
        self.environ |= {"TMPDIR": str(self._scratch), "FIREPROOF_LEASES": str(self._leases)}

    def up(self) -> None:
        self.lab.up(scale=1, components=self._components, report=lambda text: None)

    def put(self, name: str, drill: dict[str, Any]) -> None:
        """Write this variant of a drill."""
        # JSON is YAML that nobody reads in two ways: PyYAML would write the key `on` unquoted.
        (self.folder / "drills" / f"{name}.yaml").write_text(json.dumps(drill, indent=1))

    def surroundings(self) -> Surroundings:
        """Where to look after the next run; what lies there now may stay."""
        places = (self.lab.root, *filter(Path.is_dir, [self.lab.folder.database]))
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
        """Seconds that an undisturbed run takes; it has to come to its end."""
        for _ in range(MEASURED):
            began = time.monotonic()
            if self._start(name, {}).wait(ENDS_WITHIN_S) in RAN_TO_ITS_END:
                return time.monotonic() - began
            self.up()
        raise AssertionError(f"{name} does not end undisturbed: {self._said()}")

    def _start(self, name: str, environ: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._notes / "said").open("wb") as said:
            return subprocess.Popen(
                [*_RUN, f"drills/{name}.yaml", "--profile", "smoke"],
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
        elif kill.seen:
            seen = partial(SEEN[kill.seen], self.lab)
            struck_ns = strike_when(kill, child.pid, runner, seen)
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
        serving = serving_from(self.lab)
        for path in self.lab.folder.database.glob("*") if serving else ():
            if str(path) != serving:
                shutil.rmtree(path)
