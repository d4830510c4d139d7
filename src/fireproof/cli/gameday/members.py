"""Drills of a game day as processes: started, listened to, ended together."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TextIO

from fireproof.cli.render import write_line
from fireproof.cli.settings import RunSettings
from fireproof.clock import monotonic_ns

_LOOK_MS = 200  # a stop is passed on by the handler; this only bounds how late we look again
_DRAIN_S = 2.0  # what a dead drill has still in its pipe is read at once


@dataclass(frozen=True, slots=True)
class Ended:
    """How a drill's process ended."""

    name: str
    code: int
    before_ns: int
    after_ns: int


class Beside:
    """The drills of one group. Looks like one process to whoever passes signals on."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._began_ns: dict[str, int] = {}
        self._readers: dict[str, list[threading.Thread]] = {}

    def start(self, name: str, settings: RunSettings, *, apart: bool) -> None:
        """Start one; ``apart`` has its lines named, because others write at the same time."""
        argv = [sys.executable, "-m", "fireproof", *settings.to_argv()]
        self._began_ns[name] = monotonic_ns()
        pipe = subprocess.PIPE if apart else None
        nobody = subprocess.DEVNULL if apart else None  # nobody types for two at once
        child = subprocess.Popen(argv, stdin=nobody, stdout=pipe, stderr=pipe)
        self._children[name] = child
        if child.stdout is None or child.stderr is None:
            self._readers[name] = []
            return
        result = _with_member(name) if settings.output == "json" else str  # a path names itself
        self._readers[name] = [
            _copy(child.stdout, sys.stdout, result),
            _copy(child.stderr, sys.stderr, lambda line: f"{name}  {line}".rstrip()),
        ]

    def send_signal(self, signum: int) -> None:
        """Pass a signal on to all that still run."""
        for child in list(self._children.values()):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signum)

    def end(self) -> None:
        """Stop all that still run, and wait until each has undone and sealed."""
        self.send_signal(signal.SIGTERM)
        for child in self._children.values():
            child.wait()

    def wait(self, ended: Callable[[Ended], None]) -> None:
        """Until all have ended; tells of each as it does."""
        while self._children:
            fds = {os.pidfd_open(child.pid): name for name, child in self._children.items()}
            try:
                poller = select.poll()
                for fd in fds:
                    poller.register(fd, select.POLLIN)
                gone = [fds[fd] for fd, _ in poller.poll(_LOOK_MS)]
            finally:
                for fd in fds:
                    os.close(fd)
            for name in gone:
                code = self._children[name].wait()
                after_ns = monotonic_ns()
                del self._children[name]
                for reader in self._readers[name]:
                    reader.join(_DRAIN_S)
                code = code if code >= 0 else 128 - code
                ended(Ended(name, code, self._began_ns[name], after_ns))


def _with_member(name: str) -> Callable[[str], str]:
    """A JSON line that says whose it is."""

    def said(line: str) -> str:
        try:
            return json.dumps({"member": name} | json.loads(line), sort_keys=True)
        except (ValueError, TypeError):
            return line

    return said


def _copy(source: IO[bytes], target: TextIO, said: Callable[[str], str]) -> threading.Thread:
    def copy() -> None:
        with source:
            for line in source:
                write_line(target, said(line.decode("utf-8", "replace").rstrip("\n")))

    thread = threading.Thread(target=copy, name="lines", daemon=True)
    thread.start()
    return thread
