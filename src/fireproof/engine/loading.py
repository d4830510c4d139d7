"""The loads of a run: started at their phase, watched, stopped, each with its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fireproof.engine.services import Services
from fireproof.errors import FireproofError
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart
from fireproof.model.drill import Drill
from fireproof.model.environment import Environment, resolve
from fireproof.model.ports import RunningLoad

_START_S = 100.0  # Locust's import and every user's on_start
Note = Callable[..., object]


def _resolved(texts: Mapping[str, str], place: Environment) -> dict[str, str]:
    return {key: resolve(text, place) for key, text in texts.items()}


class Loads:
    """What puts the system under load, by name."""

    def __init__(self, drill: Drill, folder: RunFolder, services: Services, heart: Heart) -> None:
        self._loads, self._folder = drill.load, folder
        self._services, self._heart = services, heart
        self.running: dict[str, RunningLoad] = {}
        self._stopped: set[str] = set()

    def start(self, phase: str, note: Note) -> None:
        """Those that begin with this phase.

        Raises:
            FireproofError: when one cannot be started.
        """
        place = self._services.secrets.reveal()
        for name, load in self._loads.items():
            if load.starts != phase:
                continue
            self._heart.allow(_START_S)
            running = self._services.start_load(
                name,
                load.model_copy(update={"options": _resolved(load.options, place)}),
                target=resolve(load.target, place),
                headers=_resolved(load.headers, place),
                project=Path.cwd(),
                bag=self._folder.bag,
            )
            self.running[name] = running
            note(
                "load-start",
                load=name,
                profile=load.label(),
                asked=load.profile or "stages",
                file=load.locustfile,
                start_ns=running.start_ns,
                workers=load.workers,
                users=load.most_users(),
            )

    def tell(self, note: Note) -> None:
        """A record a minute."""
        for name, running in self.running.items():
            if name in self._stopped or (minute := running.minute()) is None:
                continue
            p99 = None if minute.p99_ms is None else f"{minute.p99_ms:.1f}"
            note(
                "load-minute",
                load=name,
                rate=f"{minute.rate:.1f}",
                p99_ms=p99,
                slots=minute.slots,
                errors=minute.errors,
            )

    def dead(self) -> str | None:
        """Name of a load whose processes have died."""
        running = ((n, one) for n, one in self.running.items() if n not in self._stopped)
        return next((name for name, one in running if not one.alive()), None)

    def unfinished(self) -> bool:
        """Whether the drill waits for a profile that is not over."""
        return any(
            self._loads[name].whole and name not in self._stopped and not one.over()
            for name, one in self.running.items()
        )

    def stop(self, note: Note, remark: Callable[[str], None]) -> None:
        """All that run; their samples are whole files afterwards."""
        for name, running in self.running.items():
            if name in self._stopped:
                continue
            self._stopped.add(name)
            self._heart.allow(self._loads[name].timeout / 1e9 + 60.0)
            try:
                ended = running.stop()
            except FireproofError as error:
                remark(f"load {name}: {error}")
                continue
            if ended.complaint:
                remark(f"load {name} said: {' / '.join(ended.complaint.splitlines()[:5])}")
            note(
                "load-stop",
                load=name,
                clean=ended.clean,
                files=list(ended.files),
                slots=ended.slots,
                rows=ended.rows,
            )

    def pids(self) -> set[int]:
        """Processes of loads that still run."""
        running = (one for name, one in self.running.items() if name not in self._stopped)
        return {pid for one in running for pid in one.pids}
