"""Ends a fireproof process at named points: FIREPROOF_KILL_AT=run:8:after:KILL[,more].

Only the crash tests put this folder on PYTHONPATH. Points: the n-th journal record of a process
(before or after it is durable), or 0 with ``seal`` / ``sealed``: just before and after the rename.
``WHO`` is run (the runner), guardian (its parent), both, recover, or gameday.
"""

import os
import signal
from pathlib import Path
from typing import Any

SPEC = os.environ.get("FIREPROOF_KILL_AT", "")
WORDS = Path("/proc/self/cmdline").read_bytes().decode().split("\0") if SPEC else []


def strike(who: str, signum: int) -> None:
    if who in ("guardian", "both"):
        os.kill(os.getppid(), signum)
    if who in ("run", "both", "recover", "gameday"):
        os.kill(os.getpid(), signum)


if SPEC and "fireproof" in WORDS:
    from fireproof.journal.writer import JournalWriter
    from fireproof.model.record import Record

    ROLE = next((role for role in ("recover", "gameday") if role in WORDS), "run")
    WANTED = {}
    for entry in SPEC.split(","):
        who, number, moment, name = entry.split(":")
        if (who if who in ("recover", "gameday") else "run") == ROLE:
            WANTED[(number, moment)] = (who, signal.Signals[f"SIG{name}"])
    append, rename, count = JournalWriter.append, os.rename, [0]

    def appending(self: JournalWriter, kind: str, /, **data: Any) -> Record:
        count[0] += 1
        if (str(count[0]), "before") in WANTED:
            strike(*WANTED[(str(count[0]), "before")])
        record = append(self, kind, **data)
        if (str(count[0]), "after") in WANTED:
            strike(*WANTED[(str(count[0]), "after")])
        return record

    def renaming(source: Any, target: Any, **options: Any) -> None:
        is_seal = str(source).endswith("/bag")
        if is_seal and ("0", "seal") in WANTED:
            strike(*WANTED[("0", "seal")])
        rename(source, target, **options)
        if is_seal and ("0", "sealed") in WANTED:
            strike(*WANTED[("0", "sealed")])

    JournalWriter.append = appending  # type: ignore[method-assign]
    os.rename = renaming  # type: ignore[assignment]
