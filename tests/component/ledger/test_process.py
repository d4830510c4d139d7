"""The service as a process: what it refuses before its port opens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fireproof.processes import scrubbed
from proving_ground.ledger.defects import DEFECTS
from proving_ground.ports import free_ports
from proving_ground.probing import listens
from support.one_ledger import one_ledger

pytestmark = pytest.mark.component


def start(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-m", "proving_ground", "ledger", *words]
    return subprocess.run(
        argv, env=scrubbed(environ), capture_output=True, text=True, timeout=20, check=False
    )


def test_wrong_settings_end_it_with_78_and_one_line_before_its_port_opens() -> None:
    """A supervisor can tell "wrongly configured" from "crashed", and an operator sees all of it."""
    port = free_ports(1)[0]
    done = start([str(port)], {"LEDGER_PROFILE": "prod", "LEDGER_PORT": "1"})
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 78
    assert done.stderr == ""
    assert len(lines) == 1
    assert len(lines[0]["problems"]) == 3
    assert not listens(port)


def test_an_unknown_defect_ends_it_with_2() -> None:
    """Before it serves anybody."""
    done = start(["1", "--defect", "no-request-idd"], {})

    assert done.returncode == 2
    assert "did you mean 'no-request-id'?" in done.stderr


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(n for n, d in DEFECTS.items() if d.process == "ledger"))
def test_it_starts_with_each_of_its_defects(name: str, tmp_path: Path) -> None:
    """A drill that is to notice a defect must find a service to ask."""
    with one_ledger(tmp_path / "log", name, dsn="host=127.0.0.1 port=1") as ledger:
        assert ledger.process.poll() is None
