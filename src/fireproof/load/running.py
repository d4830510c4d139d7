"""Starting a load's processes, and looking at them from the runner."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fireproof.children.measuring import start_measuring
from fireproof.children.status import FINISHED, RUNNING, STARTING
from fireproof.errors import StepError
from fireproof.load.page import PAGE_BYTES, READY, Page
from fireproof.load.sheet import gather
from fireproof.model.load import Load
from fireproof.model.ports import LoadEnded, LoadMinute
from fireproof.processes import kill_tree

_START_S = 90.0  # Locust's import, then every user's on_start
_LEAD_NS = 150 * 10**6  # between the word to start and the first due time


@dataclass
class _Child:
    """One process of a load."""

    process: subprocess.Popen[bytes]
    page: Page
    complaints: IO[bytes]
    stem: Path | None  # of its samples; a master has none

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read(2000).decode("utf-8", "replace").strip()

    def end(self, give_up_at: float) -> bool:
        """In order, or by force; whether it was in order."""
        with contextlib.suppress(OSError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, give_up_at - time.monotonic()))
        in_order = self.process.returncode == 0
        if self.process.returncode is None:
            kill_tree(self.process.pid)
            self.process.wait()
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        return in_order


class LoadProcesses:
    """A running load; see ``fireproof.model.ports.RunningLoad``."""

    def __init__(self, name: str, load: Load, bag: Path) -> None:
        self.name, self.start_ns = name, 0
        self._load, self._bag = load, bag
        self._children: list[_Child] = []
        self._minute = 0
        self._minute_from = time.monotonic()
        self._ended: LoadEnded | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(child.process.pid for child in self._children)

    def errors(self) -> int:
        """Requests that were not good so far, unsent ones included."""
        return sum(child.page.errors for child in self._users())

    def observations(self) -> int:
        return sum(child.page.observations for child in self._users())

    def alive(self) -> bool:
        return all(child.alive() for child in self._children)

    def over(self) -> bool:
        """Whether the profile is over and every row written, or nobody is left to write one."""
        return all(child.page.state == FINISHED or not child.alive() for child in self._users())

    def minute(self) -> LoadMinute | None:
        """The newest minute that every process has told, once."""
        users = self._users()
        newest = min(child.page.minute for child in users)
        if newest <= self._minute:
            return None
        now = time.monotonic()
        self._minute, length_s, self._minute_from = newest, now - self._minute_from, now
        told = [child.page.told() for child in users]
        from fireproof.load.minute import p99_ms

        return LoadMinute(
            sum(count for count, _, _ in told) / max(length_s, 1.0),
            p99_ms([histogram for _, _, histogram in told]),
            sum(child.page.slots for child in users),
            self.errors(),
        )

    def stop(self) -> LoadEnded:
        """End it: nothing new comes due, what is in flight gets its time, one file a process."""
        if self._ended is None:
            give_up_at = time.monotonic() + self._load.timeout / 1e9 + 15.0
            users = self._users()
            for child in users:  # all at once: their last slots are due together
                with contextlib.suppress(OSError):
                    child.process.terminate()
            in_order = [child.end(give_up_at) for child in users]
            in_order += [child.end(give_up_at) for child in self._children if not child.stem]
            finished = all(child.page.state == FINISHED for child in users)
            files, rows, whole = [], 0, True
            for child in users:
                path, found = _gathered(child)
                whole &= found is not None and found == child.page.rows
                rows += found or 0
                files += [str(path.relative_to(self._bag))] if path else []
            slots = sum(child.page.slots for child in users)
            clean = all(in_order) and finished and whole
            self._ended = LoadEnded(clean, tuple(files), slots, rows, self.complaint())
            for child in self._children:
                child.complaints.close()
        return self._ended

    def complaint(self) -> str:
        """What the processes said on stderr; empty when they had nothing to say."""
        said = [child.said() for child in self._children if not child.complaints.closed]
        return "\n".join(filter(None, said))

    def _users(self) -> list[_Child]:
        return [child for child in self._children if child.stem is not None]

    def begin(self, target: str, headers: dict[str, str], project: Path) -> None:
        """Start the processes, wait for their users, start the schedule."""
        load, count = self._load, max(1, self._load.workers)
        task: dict[str, Any] = {"name": self.name, "parent": os.getpid(), "project": str(project)}
        task |= {"locustfile": load.locustfile, "options": dict(load.options)}
        task |= {"scenarios": dict(load.scenarios), "target": target, "headers": headers}
        task |= {"stages": [list(stage) for stage in load.shape()], "users": load.most_users()}
        task |= {"timeout_ns": load.timeout, "workers": load.workers}
        # The kernel sends a parent-death signal when the *thread* that forked ends.
        main = threading.current_thread() is threading.main_thread()
        task["die_with_parent"] = main
        if load.workers:
            task["port"] = _free_port()
            self._spawn(task | {"role": "master"}, None)
        for index in range(count):
            stem = self._bag / "data" / "samples" / f"{self.name}-{index}"
            self._spawn(task | {"role": "users", "index": index, "stem": str(stem)}, stem)
        self._await(READY)
        self.start_ns = time.monotonic_ns() + _LEAD_NS
        for child in self._users():
            self._write(child, {"start_ns": self.start_ns})
        self._await(RUNNING)
        self._minute_from = time.monotonic()

    def _spawn(self, task: dict[str, Any], stem: Path | None) -> None:
        from fireproof.children.status import new_page

        fd = new_page(PAGE_BYTES)
        try:
            process, complaints = start_measuring("fireproof.load.child", fd)
            child = _Child(process, Page(fd), complaints, stem)
        finally:
            os.close(fd)
        self._children.append(child)
        self._write(child, task | {"status_fd": fd})

    @staticmethod
    def _write(child: _Child, message: dict[str, Any]) -> None:
        stdin = child.process.stdin
        assert stdin is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()

    def _await(self, state: int) -> None:
        give_up_at = time.monotonic() + _START_S
        reached = {READY: (READY,), RUNNING: (RUNNING, FINISHED)}[state]
        waiting = self._children if state == READY else self._users()
        while any(child.page.state not in reached for child in waiting):
            if not self.alive() or time.monotonic() > give_up_at:
                said = self.complaint()
                last = said.splitlines()[-1] if said else "its processes did not start in time"
                raise StepError(last if last.startswith("load ") else f"load {self.name}: {last}")
            time.sleep(0.005)


def _gathered(child: _Child) -> tuple[Path | None, int | None]:
    """The sample file of a process that has ended, made whole if it was killed."""
    assert child.stem is not None  # noqa: S101 - asked of users only
    if child.page.state == STARTING:
        return None, None
    whole = child.stem.with_name(f"{child.stem.name}.parquet")
    if child.page.state == FINISHED and whole.exists():
        return whole, child.page.rows  # the judge counts them again, from the bytes
    try:
        return gather(child.stem)
    except Exception:  # what cannot be read is left as it is, and the load was not clean
        return None, None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_load(
    name: str, load: Load, *, target: str, headers: dict[str, str], project: Path, bag: Path
) -> LoadProcesses:
    """Start a load; returns once its schedule runs.

    Args:
        name: as the drill names it.
        load: what to send, and when.
        target: resolved.
        headers: resolved; they reach the processes by a pipe, never an argument or a file.
        project: the locustfile's path is relative to this.
        bag: root of the bag.

    Raises:
        StepError: when a process cannot be started, or its locustfile or users refuse.
    """
    (bag / "data" / "samples").mkdir(parents=True, exist_ok=True)
    running = LoadProcesses(name, load, bag)
    try:
        running.begin(target, headers, project)
    except OSError as error:
        running.stop()
        raise StepError(f"load {name}: cannot start its processes: {error}") from error
    except BaseException:
        running.stop()
        raise
    return running
