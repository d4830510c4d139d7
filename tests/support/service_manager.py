"""A host's service manager in small: what ``systemctl`` is on the reader's machine.

``service_manager.py supervise FOLDER`` serves the units in FOLDER/units.json; ``... ctl FOLDER
start|stop UNIT`` asks it. What it starts is no child of whoever asks.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Unit:
    """One service: argv, env, user, port that tells when it is up, perhaps a pid file."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.child is not None and self.child.poll() is None:
            return
        user = {"user": self.body["user"], "extra_groups": []} if self.body.get("user") else {}
        with Path(self.body["log"]).open("ab") as log:
            self.child = subprocess.Popen(
                self.body["argv"],
                env=os.environ | self.body.get("env", {}),
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **user,
            )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.body["port"])) == 0:
                    break
            time.sleep(0.01)

    def stop(self) -> None:
        if self.child is not None:
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
            self.child = None


def supervise(folder: Path) -> None:
    units = {n: Unit(body) for n, body in json.loads((folder / "units.json").read_text()).items()}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "door"))
        door.listen(16)
        try:
            while True:
                connection, _ = door.accept()
                with connection:
                    verb, name = connection.recv(200).decode().split()
                    getattr(units[name], {"start": "start", "stop": "stop"}[verb])()
                    connection.sendall(b"ok")
        finally:
            for unit in reversed(units.values()):
                unit.stop()


def ctl(folder: Path, verb: str, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "door"))
        client.sendall(f"{verb} {name}".encode())
        if client.recv(10) != b"ok":
            sys.exit("no answer")


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    if command == "ctl":
        ctl(Path(where), *rest)
    else:
        supervise(Path(where))
