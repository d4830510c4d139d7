"""One ledger process beside a lab: its own settings, its own defects, its own log."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from proving_ground.lab import Lab
from proving_ground.ports import free_ports
from support.started import started


class OneLedger(httpx.Client):
    """A client of it that knows its process."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        super().__init__(base_url=url, timeout=10)
        self.process, self.log = process, log

    def append(self, key: str, body: str = "x", tenant: str = "t") -> httpx.Response:
        return self.post(f"/v1/{tenant}/events", json={"key": key, "body": body})

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]


def service_dsn(lab: Lab) -> str:
    """How the lab's own services reach its database; no drill is told."""
    facts = json.loads((lab.root / "lab.json").read_text("utf-8"))
    return str(facts["aside"]["ledger-db"]["service-dsn"])


@contextlib.contextmanager
def one_ledger(log: Path, *defects: str, **settings: str) -> Iterator[OneLedger]:
    """Running and listening; ended by pid."""
    port = free_ports(1)[0]
    argv = [sys.executable, "-P", "-m", "proving_ground", "ledger", str(port)]
    argv += [word for name in defects for word in ("--defect", name)]
    environ = {f"LEDGER_{name.upper()}": value for name, value in settings.items()}
    with (
        started(argv, environ, log, port) as process,
        OneLedger(f"http://127.0.0.1:{port}", process, log) as client,
    ):
        yield client
