"""Other people's tools, each in a venv of its own below ``.bench/``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PINS = {"chaostoolkit": "chaostoolkit==1.19.0", "in-toto": "in-toto==3.1.0"}


def tool(peer: str, name: str) -> str:
    """Path of a peer's command; the peer is installed when it is not there yet."""
    home = HERE / ".bench" / peer
    if not (home / "bin" / name).exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", PINS[peer]], check=True)
    return str(home / "bin" / name)


def fireproof() -> str:
    """Our own command, as a user calls it."""
    return str(Path(sys.executable).with_name("fireproof"))
