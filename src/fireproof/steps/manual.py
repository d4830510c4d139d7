"""``manual``: a person does something, and says so; timed, by role.

Said by typing the role at the terminal of the run, by ``fireproof acknowledge``, or by a file that
holds the role. Without any of them in time the step has failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fireproof.clock import monotonic_ns, utc_label
from fireproof.errors import StepError
from fireproof.model.drill import StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.model.quantity import Duration, format_duration, format_seconds
from fireproof.model.strict import Name, Text
from fireproof.steps.outputs import one_line

_LOOK_S = 0.1
_MOST_BYTES = 4096  # a role is a few words


class ManualParams(StepParams):
    """``{manual: "Fail over to site B", role: operator, timeout: 10m, acknowledge: done.txt}``."""

    manual: Text
    role: Name
    timeout: Duration
    acknowledge: Text | None = None  # file in the project; it holds the role


class Said(NamedTuple):
    """That somebody acknowledged: as what, and by which way."""

    role: str
    way: str


class Manual:
    """Waits for a person."""

    kind = "manual"
    params: type[StepParams] = ManualParams

    def run(self, params: ManualParams, context: StepContext) -> StepResult:
        began_ns = monotonic_ns()
        name = params.title or f"manual:{params.role}"
        expected = f"acknowledged as {params.role} within {format_duration(params.timeout)}"
        with contextlib.ExitStack() as stack:
            ways: list[Callable[[], Said | None]] = []
            if params.acknowledge is not None:
                ways.append(_File(context.project / params.acknowledge).look)
            if context.mailbox is not None:
                ways.append(stack.enter_context(Mailbox(context.mailbox, params.role)).look)
            terminal = _Terminal.open()
            if terminal is not None:
                stack.callback(terminal.close)
                terminal.ask(params.manual, params.role)
                ways.append(terminal.look)
            said, others = _wait(ways, params.role, context)
        took = format_seconds((monotonic_ns() - began_ns) / 1e9)
        if said is None:
            observed = f"nothing within {took}"
            if others:
                observed += f"; as {', '.join(sorted(others))}, which is not the role"
            return StepResult(False, observed, (Check(name, False, expected, observed),))
        observed = f"as {said.role} by {said.way} at {utc_label()}, after {took}"
        check = Check(name, True, expected, observed)
        return StepResult(True, f"acknowledged {observed}", (check,), saved=said.role)


def _wait(
    ways: list[Callable[[], Said | None]], role: str, context: StepContext
) -> tuple[Said | None, set[str]]:
    """The first acknowledgement as the role, and whoever else spoke."""
    others: set[str] = set()
    while monotonic_ns() < context.deadline_ns:
        for look in ways:
            said = look()
            if said is not None and said.role == role:
                return said, others
            if said is not None:
                others.add(repr(one_line(said.role)[:40]))
        context.beat()
        select.select([], [], [], _LOOK_S)
    return None, others


class Mailbox:
    """Where ``fireproof acknowledge`` finds what a run waits for, and leaves its answer."""

    def __init__(self, path: Path, role: str) -> None:
        self._path, self._role = path, role
        self._answer = path.with_suffix(".json")

    def __enter__(self) -> Mailbox:
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._answer.unlink(missing_ok=True)
            self._path.write_text(self._role, "utf-8")
        except OSError as error:
            raise StepError(f"cannot wait at {self._path}: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        for path in (self._path, self._answer):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()

    def look(self) -> Said | None:
        text = _read(self._answer)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return Said(str(json.loads(text)["role"]), "fireproof acknowledge")
        return None


class _File:
    """A file that somebody makes or changes after the step began; an old one says nothing."""

    def __init__(self, path: Path) -> None:
        self._path, self._before = path, self._mark(path)

    @staticmethod
    def _mark(path: Path) -> tuple[int, ...] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def look(self) -> Said | None:
        if self._mark(self._path) in (None, self._before):
            return None
        words = _read(self._path).split()
        return Said(words[0], f"file {self._path.name}") if words else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


class _Terminal:
    """The terminal of this process, when somebody sits there and not somebody else's turn."""

    def __init__(self, fd: int) -> None:
        self._fd, self._typed = fd, b""

    @classmethod
    def open(cls) -> _Terminal | None:
        try:
            fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return None
        # Reading in the background would stop the run; drills side by side have no stdin.
        with contextlib.suppress(OSError):
            if os.isatty(0) and os.tcgetpgrp(fd) == os.getpgrp():
                return cls(fd)
        os.close(fd)
        return None

    def ask(self, prompt: str, role: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._fd, f"\n{prompt.strip()}\nDone? Type {role} and Enter: ".encode())

    def look(self) -> Said | None:
        try:
            ready, _, _ = select.select([self._fd], [], [], 0)
            self._typed += os.read(self._fd, 1024) if ready else b""
        except OSError:
            return None
        line, end, rest = self._typed.partition(b"\n")
        if not end:
            return None
        self._typed = rest
        word = line.decode("utf-8", "replace").strip()
        return Said(word, "typed word") if word else None

    def close(self) -> None:
        os.close(self._fd)


def somebody_is_here() -> bool:
    """Whether this process could ask at a terminal."""
    terminal = _Terminal.open()
    if terminal is not None:
        terminal.close()
    return terminal is not None
