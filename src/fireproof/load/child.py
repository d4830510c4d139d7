"""A load's own process: ``python -m fireproof.load.child``, its task as JSON on stdin.

Three roles: ``check`` imports the locustfile and says what it holds; ``users`` sends requests,
alone or as one of several workers; ``master`` is Locust's, which counts the workers' users.
Stdin stays open for as long as the runner lives: its second line starts the schedule, its end is
the runner's end. SIGTERM ends the load in order: nothing new comes due, what is in flight gets its
time, rows are written, exit 0.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Entry of the process."""
    task = json.loads(_first_line())
    if task.get("die_with_parent"):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != task["parent"]:
        sys.exit("the runner is gone already")
    os.chdir(task["project"])
    if task["role"] == "check":
        print(json.dumps(_check(task)), flush=True)
        os._exit(0)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the runner decides when a load ends
    try:  # imported here: the check must be able to say that Locust is not there
        if task["role"] == "master":
            from fireproof.load.master import lead

            code = lead(task)
        else:
            from fireproof.load.users import send

            code = send(task)
    except Exception as error:
        print(f"load {task['name']}: {error}", file=sys.stderr, flush=True)
        code = 1
    os._exit(code)


def _first_line() -> bytes:
    """The task; byte by byte, for what follows it must stay in the pipe."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _check(task: dict[str, Any]) -> dict[str, Any]:
    real, sys.stdout = sys.stdout, sys.stderr  # a locustfile that prints
    try:
        from fireproof.load import locustfile

        classes = locustfile.read(task["locustfile"])
        locustfile.choose(classes, task["scenarios"], task["locustfile"])
        try:
            locustfile.parsed_options(task["options"])
        except (ValueError, SystemExit) as error:
            raise locustfile.Unusable(f"{error}", task["locustfile"]) from None
    except Exception as error:
        place = {"file": getattr(error, "file", ""), "line": getattr(error, "line", 1)}
        return place | {"error": getattr(error, "text", f"{type(error).__name__}: {error}")}
    finally:
        sys.stdout = real
    return {"scenarios": sorted(classes)}


if __name__ == "__main__":
    main()
