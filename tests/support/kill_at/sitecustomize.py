"""Ends a fireproof process at named points: FIREPROOF_KILL_AT=run:8:after:KILL[,more].

Only the crash tests put this folder on PYTHONPATH. Points, each ``before`` or ``after`` it is
durable: the n-th journal record of a process (``8``), or the n-th of a kind (``intent``,
``injected#2``, ``phase.recover``); around a rename of a fault (``move#1``); and with number 0
``seal`` / ``sealed``: just before and after the rename of the bundle.
``WHO`` is run (the runner), guardian (its parent), both, recover, or gameday.

FIREPROOF_RUNNER_PID names a file that gets the runner's pid as soon as there is one;
FIREPROOF_STRUCK_AT one that gets the instant of the strike (CLOCK_MONOTONIC, ns).
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPEC = os.environ.get("FIREPROOF_KILL_AT", "")
RUNNER_PID = os.environ.get("FIREPROOF_RUNNER_PID", "")
STRUCK_AT = os.environ.get("FIREPROOF_STRUCK_AT", "")
WORDS = Path("/proc/self/cmdline").read_bytes().decode().split("\0") if SPEC or RUNNER_PID else []


def strike(who: str, signum: int) -> None:
    if STRUCK_AT:
        Path(STRUCK_AT).write_text(str(time.monotonic_ns()))
    if who in ("guardian", "both"):
        os.kill(os.getppid(), signum)
    if who in ("run", "both", "recover", "gameday"):
        os.kill(os.getpid(), signum)


if RUNNER_PID and "fireproof" in WORDS and "recover" not in WORDS:
    from fireproof.guard import guardian
    from fireproof.guard.heartbeat import Heart

    run = guardian._run

    def running(runner: Callable[[Heart], int], heart: Heart) -> None:
        draft = Path(f"{RUNNER_PID}.tmp")
        draft.write_text(str(os.getpid()))
        draft.replace(RUNNER_PID)
        run(runner, heart)

    guardian._run = running

if SPEC and "fireproof" in WORDS:
    from fireproof.faults import directory
    from fireproof.journal.writer import JournalWriter
    from fireproof.model.record import Record

    ROLE = next((role for role in ("recover", "gameday") if role in WORDS), "run")
    WANTED = {}
    for entry in SPEC.split(","):
        who, number, moment, name = entry.split(":")
        if (who if who in ("recover", "gameday") else "run") == ROLE:
            WANTED[(number, moment)] = (who, signal.Signals[f"SIG{name}"])
    append, rename, move, count = JournalWriter.append, os.rename, directory.move, Counter[str]()

    def reach(names: list[str], moment: str) -> None:
        for wanted in [(name, moment) for name in names if (name, moment) in WANTED]:
            strike(*WANTED.pop(wanted))

    def counted(name: str) -> list[str]:
        count[name] += 1
        return [name, f"{name}#{count[name]}"]

    def appending(self: JournalWriter, kind: str, /, **data: Any) -> Record:
        count[""] += 1
        names = [str(count[""]), *counted(kind)]
        if kind == "phase":
            names += counted(f"phase.{data['phase']}")
        if kind in ("step-start", "step-end"):
            names += counted(f"{kind}.{data['phase']}")
        reach(names, "before")
        record = append(self, kind, **data)
        reach(names, "after")
        return record

    def moving(source: str, target: str) -> None:
        names = counted("move")
        reach(names, "before")
        move(source, target)
        reach(names, "after")

    def renaming(source: Any, target: Any, **options: Any) -> None:
        is_seal = str(source).endswith("/bag")
        reach(["0"] if is_seal else [], "seal")
        rename(source, target, **options)
        reach(["0"] if is_seal else [], "sealed")

    JournalWriter.append = appending  # type: ignore[method-assign]
    os.rename = renaming  # type: ignore[assignment]
    directory.move = moving
