"""One supervised server: started, probed until ready, stopped, recorded by pid and start time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fireproof.clock import utc_label
from fireproof.processes import ProcessId, descendants, identify, is_alive, kill_tree, scrubbed
from proving_ground.probing import is_ready
from proving_ground.spec import ServerSpec, load_spec

_TICK_S = 0.01
_STOP_WITHIN_S = 20.0  # a fast shutdown writes a checkpoint; beyond this it is killed
_ORPHANS_WITHIN_S = 5.0
_TAIL_LINES = 12
_TAIL_BYTES = 2**18
# Postgres logs each client that comes too early as FATAL, dozens a second during a drill.
_NOISE = ("FATAL:  the database system is ", "DETAIL:  Hot standby mode is disabled")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller is told."""

    ok: bool
    text: str
    log: tuple[str, ...] = ()


@dataclass(slots=True)
class _Running:
    who: ProcessId
    popen: subprocess.Popen[bytes]
    params: Mapping[str, str]
    since: str
    log_from: int
    ready: bool = False
    stopping: bool = False
    exited: threading.Event = field(default_factory=threading.Event)
    status: int | None = None


class Server:
    """Desired state in, facts out. ``exited`` is called by the supervisor, which alone reaps."""

    def __init__(
        self,
        root: Path,
        name: str,
        orphans: Callable[[], list[int]],
        forking: AbstractContextManager[object],
    ) -> None:
        self.root, self.name = root, name
        self._orphans = orphans  # the supervisor's other children: what a killed server left
        self._forking = forking  # while it is held, nobody looks for orphans
        self._lock = threading.RLock()
        self._now: _Running | None = None
        self.is_starting = False  # between fork and record; the reaper keeps statuses meanwhile

    @property
    def pid(self) -> int | None:
        now = self._now
        return now.who.pid if now and not now.exited.is_set() else None

    @property
    def log_path(self) -> Path:
        return self.root / "log" / f"{self.name}.log"

    def start(self, given: Mapping[str, str]) -> Reply:
        """Run with these parameters (else the remembered ones); returns when ready or failed.

        A server that runs with other parameters is stopped first: the caller names the state.
        """
        spec = load_spec(self.root / "servers" / f"{self.name}.json")
        given = dict(given)
        try:
            within_s = float(given.pop("within", spec.within_s))
        except ValueError:
            return Reply(False, f"{self.name}: within: expected seconds")
        unknown = sorted(set(given) - set(spec.params))
        if unknown:
            known = ", ".join([*sorted(spec.params), "within"])
            return Reply(False, f"{self.name}: no parameter {unknown[0]!r}; it takes {known}")
        give_up_at = time.monotonic() + within_s
        with self._lock:
            self._await_reaping()
            params = {**spec.params, **self._remembered(), **given}
            refusal = self._refusal(spec, params)
            if refusal:
                return Reply(False, refusal)
            if self.pid is not None and self._now and dict(self._now.params) != params:
                self.stop({"mode": "fast"})
            if self.pid is None:
                self.is_starting = True
                try:
                    self._spawn(spec, params)
                except OSError as err:
                    return Reply(False, f"{self.name} cannot be started: {err}")
                finally:
                    self.is_starting = False
            running = self._now
            if running is None:
                return Reply(False, f"{self.name} cannot be started: no process was recorded")
        while not running.exited.is_set():
            if is_ready(spec.ready) and not running.exited.is_set():
                running.ready = True
                self._remember(params)
                self._record(running)
                return Reply(True, f"{self.name} is ready, pid {running.who.pid}")
            if time.monotonic() > give_up_at:
                tail = self.tail(running.log_from)
                self.stop({"mode": "immediate"})
                return Reply(False, f"{self.name} was not ready within {within_s:g} s", tail)
            running.exited.wait(_TICK_S)
        tail = self.tail(running.log_from)
        why = "it was stopped" if running.stopping else _reason(tail, running.status)
        return Reply(False, f"{self.name} did not start: {why}", tail)

    def stop(self, given: Mapping[str, str]) -> Reply:
        """End it and all it left behind; returns when gone."""
        spec = load_spec(self.root / "servers" / f"{self.name}.json")
        modes = dict(spec.stop)
        mode = given.get("mode", next(iter(modes)))
        # Only Postgres knows several ways to stop; for the others each word means their one.
        name = modes.get(mode, next(iter(modes.values())) if len(modes) == 1 else "")
        if not name or set(given) - {"mode"}:
            return Reply(False, f"{self.name}: expected mode={'|'.join(modes)}, got {dict(given)}")
        with self._lock:
            now = self._now
            if now is None or now.exited.is_set():
                self._end_orphans()
                return Reply(True, f"{self.name} is not running")
            now.stopping = True
            tree = [now.who.pid, *descendants(now.who.pid)]
            with contextlib.suppress(OSError):
                os.kill(now.who.pid, signal.Signals[name])
            for pid in tree:  # a stopped process takes no signal before it continues
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
            if not now.exited.wait(_STOP_WITHIN_S):
                kill_tree(now.who.pid)
                now.exited.wait(_STOP_WITHIN_S)
            self._end_orphans()
            return Reply(True, f"{self.name} is stopped")

    def exited(self, status: int) -> None:
        """Its process was reaped."""
        now = self._now
        if now is None:
            return
        now.status = now.popen.returncode = status
        now.ready = False
        for kind in ("pid", "json"):
            (self.root / "run" / f"{self.name}.{kind}").unlink(missing_ok=True)
        now.exited.set()

    def status(self) -> dict[str, Any]:
        """Facts about it now."""
        now = self._now
        up = now is not None and not now.exited.is_set()
        return {
            "pid": now.who.pid if now and up else None,
            "ready": bool(now and up and now.ready),
            "since": now.since if now and up else None,
            "params": dict(now.params) if now else {},
            "log": str(self.log_path),
        }

    def tail(self, start: int) -> tuple[str, ...]:
        """Last lines it logged since that offset, without the turned-away clients of a start."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(start, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ()
        telling = [line for line in lines if not any(noise in line for noise in _NOISE)]
        return tuple(telling[-_TAIL_LINES:])

    def _await_reaping(self) -> None:
        """A server killed this instant is dead before its end is known; it does not count as up."""
        now = self._now
        if now is not None and not now.exited.is_set() and not is_alive(now.who):
            now.exited.wait(_STOP_WITHIN_S)

    def _refusal(self, spec: ServerSpec, params: Mapping[str, str]) -> str | None:
        for key in spec.owned:
            folder = Path(params[key])
            # The supervisor may be root and will hand this folder to the server's user.
            if not folder.is_absolute() or self.root not in folder.resolve().parents:
                return f"{self.name}: {key} must lie inside the lab {str(self.root)!r}"
            if not folder.is_dir():
                return f"{self.name}: {key}: there is no folder {str(folder)!r}"
        return None

    def _spawn(self, spec: ServerSpec, params: Mapping[str, str]) -> None:
        self._end_orphans()
        if spec.user:
            for key in spec.owned:
                _hand_over(Path(params[key]), *spec.user)
        if spec.ready["kind"] == "beat":
            Path(spec.ready["path"]).unlink(missing_ok=True)
        argv = [_filled(word, params) for word in spec.argv]
        filled = {name: _filled(value, params) for name, value in spec.env.items()}
        secret = {name: Path(path).read_text("utf-8") for name, path in spec.env_files.items()}
        user, group = spec.user or (None, None)
        with self._forking, self.log_path.open("ab") as log:
            log_from = log.seek(0, os.SEEK_END)
            popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=scrubbed({**filled, **secret}),
                cwd=self.root,
                user=user,
                group=group,
                extra_groups=[] if user is not None else None,
                umask=0o077,
                start_new_session=True,
            )
            # Gone already: start time 0 matches no process, and the reaper will say how it ended.
            who = identify(popen.pid) or ProcessId(popen.pid, 0)
            running = _Running(who, popen, dict(params), utc_label(), log_from)
            self._now = running
        self._record(running)
        _write(self.root / "run" / f"{self.name}.pid", f"{who.pid}\n")

    def _record(self, running: _Running) -> None:
        """Durable facts, so that ``down`` finds the server though the supervisor is gone."""
        if running.exited.is_set():
            return
        facts = {"pid": running.who.pid, "start_ticks": running.who.start_ticks}
        more = {"since": running.since, "ready": running.ready, "params": dict(running.params)}
        _write(self.root / "run" / f"{self.name}.json", json.dumps(facts | more))

    def _remembered(self) -> dict[str, str]:
        try:
            path = self.root / "run" / f"{self.name}.params"
            found: dict[str, str] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self, params: Mapping[str, str]) -> None:
        """Only what once became ready: a failed restore must not be where ``start`` goes next."""
        _write(self.root / "run" / f"{self.name}.params", json.dumps(dict(params)))

    def _end_orphans(self) -> None:
        """Wait for what a killed server left; then kill it. It may hold the data or the port."""
        give_up_at = time.monotonic() + _ORPHANS_WITHIN_S
        for pid in self._orphans():  # a stopped one could not notice that its parent is gone
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
        while self._orphans() and time.monotonic() < give_up_at:
            time.sleep(_TICK_S)
        for pid in self._orphans():
            kill_tree(pid)


def _filled(word: str, params: Mapping[str, str]) -> str:
    for key, value in params.items():
        word = word.replace("{" + key + "}", value)
    return word


def _reason(tail: tuple[str, ...], status: int | None) -> str:
    """The line a person would point at."""
    for mark in ("FATAL:", "PANIC:", "CRITICAL", "ERROR"):
        for line in reversed(tail):
            if mark in line:
                return line[line.index(mark) :].strip()
    return f"it ended with status {status}" + (f"; last words: {tail[-1]}" if tail else "")


def _hand_over(folder: Path, uid: int, gid: int) -> None:
    """Make the folder private to that user; links are changed, never followed."""
    folder.chmod(0o700)
    if folder.stat().st_uid == uid:
        return
    for above, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(os.path.join(above, name), uid, gid, follow_symlinks=False)
    os.chown(folder, uid, gid)


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def end_recorded(path: Path, timeout_s: float = 10.0) -> ProcessId | None:
    """End the process that a record in ``run/`` names; returns it if it would not die."""
    try:
        facts = json.loads(path.read_text("utf-8"))
        who = ProcessId(int(facts["pid"]), int(facts["start_ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    give_up_at = time.monotonic() + timeout_s
    below = [found for pid in descendants(who.pid) if (found := identify(pid))]
    for signum in (signal.SIGTERM, signal.SIGQUIT, signal.SIGCONT):
        if is_alive(who):
            with contextlib.suppress(OSError):
                os.kill(who.pid, signum)
    while is_alive(who) and time.monotonic() < give_up_at:
        time.sleep(_TICK_S)
    for each in (who, *below):
        if is_alive(each):
            kill_tree(each.pid)
    return who if is_alive(who) else None
