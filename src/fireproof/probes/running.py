"""Starting a probe's process, and looking at it from the runner."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from fireproof.children.measuring import start_measuring
from fireproof.children.status import FINISHED, STARTING, Status, new_page
from fireproof.errors import StepError
from fireproof.model.drill import (
    AlertProbe,
    CanaryProbe,
    PluginProbe,
    Probe,
    ResourcesProbe,
    SqlProbe,
    TcpProbe,
)

_START_S = 10.0  # a cold interpreter on a busy machine; it takes about 0.15 s on an idle one


class ProbeProcess:
    """A running probe; see ``fireproof.model.ports.RunningProbe``."""

    def __init__(
        self,
        name: str,
        kind: str,
        file: str,
        path: Path,
        timeout_ns: int,
        process: subprocess.Popen[bytes],
        status: Status,
        complaints: IO[bytes],
    ) -> None:
        self.name, self.kind, self.file, self.pid = name, kind, file, process.pid
        self._path, self._timeout_s = path, timeout_ns / 1e9
        self._process, self._status, self._complaints = process, status, complaints
        self._stopped: tuple[bool, int] | None = None
        self._said = ""

    def errors(self) -> int:
        """Observations that were not good so far (canary: not acknowledged)."""
        return self._status.errors

    def observations(self) -> int:
        """Observations that have ended, slots that could not be asked included."""
        return self._status.observations

    def good_since(self) -> int | None:
        """End of the first answer of the present run of good ones; None if the last was not."""
        return self._status.good_since

    def alive(self) -> bool:
        return self._process.poll() is None

    def complaint(self) -> str:
        """What the process said on stderr; empty when it had nothing to say."""
        if not self._complaints.closed:
            self._complaints.seek(0)
            self._said = self._complaints.read(2000).decode("utf-8", "replace").strip()
        return self._said

    def stop(self, timeout_s: float = 10.0) -> tuple[bool, int]:
        """End it; (clean, rows). Clean: it ended by itself, in order, and every row is whole."""
        if self._stopped is None:
            self._process.terminate()
            # A question in flight may take its whole timeout; that is not being late.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(timeout_s, self._timeout_s + 2.0))
            in_order = self._process.returncode == 0 and self._status.state == FINISHED
            if self._process.returncode is None:
                self._process.kill()
                self._process.wait()
            if self._process.stdin:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            self.complaint()
            self._complaints.close()
            rows, whole = _count_rows(self._path)
            self._stopped = (in_order and whole and rows == self._status.rows, rows)
        return self._stopped


def _count_rows(path: Path) -> tuple[int, bool]:
    """Rows below the header, and whether the last one is whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return 0, False
    return max(0, data.count(b"\n") - 1), data.endswith(b"\n")


def start_probe(
    name: str, probe: Probe, *, url: str, run: str, bag: Path, file: str, plugin: str = ""
) -> ProbeProcess:
    """Start the probe's process; returns once it observes.

    Args:
        name: as the drill names it.
        probe: what to ask, how often, and what counts as good.
        url: resolved (URL, host:port or DSN); no password in it.
        run: run id; canary keys start with it.
        bag: root of the bag.
        file: sample file, relative to the bag; must not exist yet.
        plugin: ``module:class`` of a probe of another package.

    Raises:
        StepError: when the process cannot be started or refuses its task.
    """
    path = bag / file
    path.parent.mkdir(parents=True, exist_ok=True)
    page = new_page()
    task: dict[str, Any] = {"name": name, "url": url, "run": run, "path": str(path)}
    task |= {"status_fd": page, "parent": os.getpid(), "timeout_ns": probe.timeout}
    # The kernel sends a parent-death signal when the *thread* that forked ends.
    task["die_with_parent"] = threading.current_thread() is threading.main_thread()
    if isinstance(probe, CanaryProbe):
        task |= {"kind": "canary", "period_ns": round(1e9 / probe.rate)}
    elif isinstance(probe, ResourcesProbe):
        task |= {"kind": "resources", "period_ns": probe.every}
    elif isinstance(probe, TcpProbe):
        task |= {"kind": "tcp", "period_ns": probe.every, "within_ns": probe.good.within}
    elif isinstance(probe, SqlProbe):
        task |= {"kind": "sql", "period_ns": probe.every, "within_ns": probe.good.within}
        task |= {"query": probe.sql, "equals": probe.good.equals}
    elif isinstance(probe, PluginProbe):
        task |= {"kind": probe.kind, "period_ns": probe.every, "within_ns": probe.good.within}
        # It finds what we find, wherever the package was installed.
        task |= {"plugin": plugin, "params": dict(probe.params), "sys_path": sys.path}
    elif isinstance(probe, AlertProbe):
        rules = [(rule.alert, rule.expr, rule.for_) for rule in probe.rules]
        task |= {"kind": "alerts", "period_ns": probe.every, "rules": rules}
        task |= {"alerts": probe.alerts, "listen": probe.listen}
    else:
        task |= {"kind": "http", "period_ns": probe.every, "status": probe.good.status}
        task |= {"within_ns": probe.good.within, "contains": probe.good.contains}
    try:
        process, complaints = start_measuring("fireproof.probes.worker", page)
        status = Status(page)
    except OSError as error:
        raise StepError(f"probe {name}: cannot start its process: {error}") from error
    finally:
        os.close(page)
    running = ProbeProcess(
        name, task["kind"], file, path, probe.timeout, process, status, complaints
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
    deadline = time.monotonic() + _START_S
    while status.state == STARTING:
        if not running.alive() or time.monotonic() > deadline:
            running.stop(1.0)
            why = running.complaint() or "its process did not start in time"
            raise StepError(why if why.startswith("probe ") else f"probe {name}: {why}")
        time.sleep(0.002)
    return running
