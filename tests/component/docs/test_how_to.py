"""The how-to pages do what they say: their blocks are run, in order, on a host of our own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from support import service_manager
from support.postgres import (
    PASSWORD,
    free_port,
    init_database,
    own_folder,
    unprivileged,
    wait_for_database,
)
from support.scenario import Scenario

pytestmark = [pytest.mark.component, pytest.mark.full]

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
_BLOCK = re.compile(r"^```(\w+)(?: (\w+)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Host:
    """A PostgreSQL, a service and a service manager, none of which the lab started."""

    folder: Path
    replace: dict[str, str]
    environ: dict[str, str]
    units: dict[str, dict[str, object]] = field(default_factory=dict)
    manager: subprocess.Popen[bytes] | None = None

    def text(self, page: str) -> str:
        """The page with this host's addresses in place of the reader's."""
        for theirs, ours in self.replace.items():
            page = page.replace(theirs, ours)
        return page

    def boot(self, units: dict[str, dict[str, object]]) -> None:
        (self.folder / "units.json").write_text(json.dumps(units))
        program = str(service_manager.__file__)
        argv = [sys.executable, program, "supervise", str(self.folder)]
        self.manager = subprocess.Popen(argv, start_new_session=True)
        for _ in range(500):
            if (self.folder / "door").exists():
                break
            time.sleep(0.01)

    def systemctl(self, verb: str, unit: str) -> None:
        service_manager.ctl(self.folder, verb, unit)


@pytest.fixture
def host(postgres_home: Path) -> Iterator[Host]:
    folder = Path(tempfile.mkdtemp(prefix="fp-host-"))  # a socket's path is short
    folder.chmod(0o755)
    data = own_folder(postgres_home / "how-to" / "data")
    init_database(postgres_home, data)
    database, api = str(free_port()), str(free_port())
    programs = folder / "bin"
    programs.mkdir()
    program = f'exec "{sys.executable}" "{service_manager.__file__}" ctl "{folder}" "$@"\n'
    (programs / "systemctl").write_text(f"#!/bin/sh\n{program}")
    (programs / "systemctl").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIREPROOF_")}
    path = f"{programs}:{postgres_home}/pgsql/bin:{Path(sys.executable).parent}:{kept['PATH']}"
    environ = kept | {"PATH": path, "FIREPROOF_LEASES": str(folder / "leases")}
    made = Host(folder, {"5432": database, "8080": api, "/var/lib/ledger-db": str(data)}, environ)
    argv = [str(postgres_home / "pgsql/bin/postgres"), "-D", str(data), "-p", database]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    argv += ["-c", "fsync=off", "-c", "shared_buffers=16MB"]
    made.units["ledger-db"] = {
        "argv": argv,
        "user": unprivileged().get("user"),
        "port": int(database),
        "log": str(folder / "db.log"),
    }
    try:
        yield made
    finally:
        if made.manager is not None:
            made.manager.send_signal(signal.SIGTERM)
            made.manager.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(postgres_home / "how-to", ignore_errors=True)


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()


def _said(host: Host, project: Path, block: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=project,
        env=host.environ,
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # no terminal to type a name at
    )


def test_your_own_system_is_drilled_by_a_new_environment_file(host: Host, tmp_path: Path) -> None:
    """The promise that makes it a product; a reader who types the page must get what it says."""
    page = host.text((PAGES / "your-own-system.md").read_text())
    blocks = _BLOCK.findall(page)
    assert len(blocks) >= 10
    service = next(text for _, _, name, text in blocks if name == "ledger_api.py")
    assert len(service.splitlines()) <= 32
    (host.folder / "ledger_api.py").write_text(service)
    dsn = f"host=127.0.0.1 port={host.replace['5432']} user=postgres dbname=postgres"
    host.units["ledger-api"] = {
        "argv": [sys.executable, str(host.folder / "ledger_api.py"), host.replace["8080"]],
        "env": {"DSN": f"{dsn} password={PASSWORD}"},
        "port": int(host.replace["8080"]),
        "log": str(host.folder / "api.log"),
    }
    host.boot(host.units)
    host.systemctl("start", "ledger-db")
    wait_for_database(f"{dsn} password={PASSWORD}")
    host.systemctl("start", "ledger-api")
    rows = "INSERT INTO accounts SELECT n, 'owner ' || n FROM generate_series(1, 1000) n"
    table = "CREATE TABLE accounts (id int PRIMARY KEY, owner text)"
    psql = ["psql", f"{dsn} password={PASSWORD}", "-qc", f"{table}; {rows}"]
    subprocess.run(psql, env=host.environ, check=True)

    before = None
    for language, option, value, text in blocks:
        if option == "file":
            (tmp_path / value).parent.mkdir(exist_ok=True)
            (tmp_path / value).write_text(text)
        elif language == "sh":
            done = _said(host, tmp_path, text)
            assert done.returncode == int(value or 0), f"{text}\n{done.stdout}{done.stderr}"
            assert PASSWORD not in done.stdout + done.stderr
        if value == "environments/mine.yaml":
            before = (tmp_path / "drills" / "restart-database.yaml").read_bytes()

    results = [
        json.loads(p.read_text()) for p in sorted(tmp_path.glob("evidence/runs/*/result.json"))
    ]
    assert [(r["drill"], r["exit_code"]) for r in results] == [
        ("restart-database", 0),
        ("restore-to-scratch", 0),
    ]
    assert (tmp_path / "drills" / "restart-database.yaml").read_bytes() == before
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and PASSWORD in _text(p)]


@pytest.mark.full
def test_a_drill_is_approved_and_stopped_as_the_page_says(scenario: Scenario) -> None:
    """In an incident nobody tries out commands."""
    environment = scenario.environment()
    environment["components"]["ledger-db"] = environment["components"].pop("tiny")
    body = environment | {"environment": "mine", "class": "production", "approvals": 1}
    drill = scenario.drill() | {"drill": "restart-database", "components": ["ledger-db"]}
    drill |= {"fault": [{"kill": "ledger-db"}], "baseline": {"for": "4s"}}
    text = json.dumps(drill).replace("{tiny.url}", "{ledger-db.url}")
    for name, content in {
        "environments/mine.yaml": json.dumps(body),
        "drills/restart-database.yaml": text,
    }.items():
        (scenario.project / name).parent.mkdir(exist_ok=True)
        (scenario.project / name).write_text(content)
    path = f"{Path(sys.executable).parent}:{scenario.environ['PATH']}"
    host = Host(scenario.service, {}, scenario.environ | {"PATH": path})
    page = (PAGES / "stop-and-approve.md").read_text()
    run = next(text for _, _, value, text in _BLOCK.findall(page) if value == "3")

    for language, option, value, block in _BLOCK.findall(page):
        if language != "sh":
            continue
        child = None
        if option == "while":
            before = set(scenario.evidence.glob("runs/*"))
            child = scenario.call(run.split()[1:])
            scenario.wait_until(partial(_under_way, scenario, before), 20)
        done = _said(host, scenario.project, block)
        expected = int(value) if option == "exit" else 0
        assert done.returncode == expected, f"{block}\n{done.stdout}{done.stderr}"
        if child is not None:
            _, stderr = child.communicate(timeout=60)
            assert child.returncode == 3, stderr
            assert "ABORTED" in done.stdout


def _under_way(scenario: Scenario, before: set[Path]) -> bool:
    """Whether a new run is in its baseline."""
    new = set(scenario.evidence.glob("runs/*")) - before
    return any((root / "bag/data/samples").exists() for root in new)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
