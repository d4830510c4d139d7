"""What a schedule does to the world: starts runs, seals missed ones, looks for what began."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from fireproof.cli.compose import load_any_environment, make_services, vocabulary
from fireproof.cli.with_lab import Stops
from fireproof.drillfile import load_drill
from fireproof.engine.missed import missed_run_id, seal_missed
from fireproof.engine.planning import write_plan
from fireproof.errors import EnvironmentRefusal, EvidenceError
from fireproof.evidence import EvidenceRoot, open_signer
from fireproof.fleet import Agenda, Entry
from fireproof.guard.folder import RunFolder
from fireproof.guard.guardian import say, sweep
from fireproof.model.drill import Drill
from fireproof.model.environment import Component, Environment
from fireproof.model.plan import MISSED, OCCURRENCE, Plan


class Runs(contextlib.ExitStack):
    """The door between a schedule and the runs of this project."""

    def __init__(self, evidence: Path, stops: Stops) -> None:
        super().__init__()
        self._evidence = evidence
        self._stops = stops

    def hold(self, agenda: Agenda) -> None:
        """Look after this schedule until the end; refuses when somebody else does."""
        self.enter_context(agenda.held())

    def pause(self, seconds: float) -> None:
        """Wait, in short naps: a signal ends it."""
        until = time.monotonic() + seconds
        while not self.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))

    def stopped(self) -> bool:
        return self._stops.signum is not None

    def start(self, entry: Entry, due: datetime) -> int:
        """Run it in a process of its own, told which occurrence it is."""
        say(f"schedule: {entry.key}: due at {due.isoformat()}, running")
        argv = [sys.executable, "-m", "fireproof", *entry.argv, "--evidence", str(self._evidence)]
        environ = {**os.environ, OCCURRENCE: due.isoformat()}
        self._stops.child = subprocess.Popen(argv, env=environ)
        code = self._stops.child.wait()
        self._stops.child = None
        code = code if code >= 0 else 128 - code
        say(f"schedule: {entry.key}: exit code {code}")
        return code

    def began(self, entry: Entry, due: datetime) -> bool:
        """Whether one of its drills has a run of this occurrence, finished or not."""
        sweep(self._evidence)
        since = f"{int(due.timestamp() * 1000) << 80:032x}"[:12]
        names = {file.stem for file in entry.drills}
        where = _place_name(entry.environment)
        plans = [
            *self._evidence.glob("runs/*/bag/plan.json"),
            *self._evidence.glob("bundles/*/*/*/plan.json"),
        ]
        for path in plans:
            run = path.parent.parent.name if path.parent.name == "bag" else path.parent.name
            if run.replace("-", "")[:12] < since:  # ids sort by time: older runs are others'
                continue
            plan = _read(path)
            if not plan or plan.environment.environment != where:
                continue
            if plan.drill.drill in names and _occurrence(plan) == due:
                return True
        return False

    def promise(self, entry: Entry, since: datetime) -> None:
        """An agenda that got lost looks the same: whoever reads this can tell."""
        since_text = since.isoformat(timespec="seconds")
        say(f"schedule: {entry.key}: no agenda yet; every occurrence from {since_text} on counts")

    def miss(self, entry: Entry, due: datetime, why: str) -> None:
        """Seal a missed run of each of its drills."""
        say(f"schedule: {entry.key}: due at {due.isoformat()}, missed: {why}")
        sweep(self._evidence)
        for file in entry.drills:
            drill = load_drill(file, vocabulary())
            run = missed_run_id(drill.drill, entry.environment, due)
            plan = write_plan(
                drill,
                _place(entry.environment, drill),
                run=run,
                drill_file=file,
                project=Path.cwd(),
                parameters={OCCURRENCE: due.isoformat(), MISSED: why},
            )
            signer = open_signer(EvidenceRoot(self._evidence))
            services = make_services(self._evidence, lambda _: None, signer, plan.environment)
            folder = RunFolder(self._evidence / "runs" / run)
            result = seal_missed(plan, folder, services)
            if result["bundle"] is None:
                raise EvidenceError(f"{folder.root}: {result['unsealed']}")
            print(result["bundle"], flush=True)


def _place(name: str, drill: Drill) -> Environment:
    """The environment, or what its name says of it: a lab that is not up has no components."""
    try:
        return load_any_environment(name)
    except EnvironmentRefusal:
        components = {one: Component(kind="not-up") for one in drill.components}
        return Environment.model_validate(
            {"environment": name, "class": "embedded", "components": components}
        )


def _place_name(name: str) -> str:
    """What its plans call it; a lab that is down goes by its own name."""
    try:
        return load_any_environment(name).environment
    except EnvironmentRefusal:
        return name


def _read(path: Path) -> Plan | None:
    try:
        return Plan.model_validate_json(path.read_bytes())
    except (OSError, ValueError):  # swept away meanwhile, or not a plan of ours
        return None


def _occurrence(plan: Plan) -> datetime | None:
    text = plan.parameters.get(OCCURRENCE)
    return datetime.fromisoformat(text) if text else None
