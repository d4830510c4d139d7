"""A real PostgreSQL from the wheel, for tests: run by hand, never as root."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "a-throwaway-password"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    dsn: str
    pid: int
    port: int
    data: Path


def unprivileged() -> dict[str, Any]:
    """Popen arguments that leave root, because initdb and postgres refuse it."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def own_folder(path: Path) -> Path:
    """A fresh folder that belongs to the user the server runs as."""
    path.mkdir(mode=0o700, parents=True)
    if os.geteuid() == 0:
        shutil.chown(path, "nobody", "nogroup")
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def init_database(home: Path, data: Path) -> None:
    """A fresh cluster with a password; ``data`` must belong to the user the server runs as."""
    password = home / f"password-{data.name}"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o644)
    argv: list[str] = [str(home / "pgsql" / "bin" / "initdb"), "--pgdata", str(data)]
    argv += ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"]
    argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/", **unprivileged())
    password.unlink()


def dsn_for(port: int, passfile: Path) -> str:
    """A DSN without a secret in it."""
    if not passfile.exists():
        passfile.write_text(f"127.0.0.1:*:*:postgres:{PASSWORD}\n")
        passfile.chmod(0o600)
    return f"host=127.0.0.1 port={port} user=postgres dbname=postgres passfile={passfile}"


def wait_for_database(dsn: str, limit_s: float = 30.0) -> None:
    import psycopg

    give_up_at = time.monotonic() + limit_s
    while True:
        try:
            with psycopg.connect(dsn, connect_timeout=5):
                return
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
