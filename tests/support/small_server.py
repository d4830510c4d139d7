"""A small server with a pid-file, children, and commands that stop and start it.

``python small_server.py start|stop|serve HOME [data-directory=PATH]``; start and stop are
idempotent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def _alive(pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else pid


def serve(home: Path, data: Path) -> None:
    """Stand in the data directory with two children, until told to stop."""
    os.chdir(data)
    children = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]

    def leave(*_: object) -> None:
        for child in children:
            child.kill()
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    (home / "pid.new").write_text(f"{os.getpid()}\n")
    (home / "pid.new").rename(home / "pid")
    while True:
        time.sleep(1)


def start(home: Path, data: Path) -> None:
    with (home / "log").open("ab") as log:
        log.write(f"start {data}\n".encode())
    if _alive(home / "pid"):
        return
    if not data.is_dir():
        sys.exit(f"no data directory {data}")
    subprocess.Popen(
        [sys.executable, __file__, "serve", str(home), f"data-directory={data}"],
        start_new_session=True,
    )
    for _ in range(500):
        if _alive(home / "pid"):
            return
        time.sleep(0.01)
    sys.exit("it did not start")


def stop(home: Path) -> None:
    with (home / "log").open("ab") as log:
        log.write(b"stop\n")
    if (pid := _alive(home / "pid")) is None:
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(500):
        if not _alive(home / "pid"):
            return
        time.sleep(0.01)
    sys.exit("it did not stop")


def main() -> None:
    verb, home = sys.argv[1], Path(sys.argv[2])
    given = dict(argument.split("=", 1) for argument in sys.argv[3:])
    data = Path(given.get("data-directory", home / "data"))
    if verb == "serve":
        serve(home, data)
    elif verb == "start":
        start(home, data)
    else:
        stop(home)


if __name__ == "__main__":
    main()
