"""What checks of one moment hand on to those of a later one, in the run's temporary folder: whoever
ends the run removes it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any


def _file(name: str) -> Path:
    return Path(tempfile.gettempdir(), f"kept-{name}")


def keep(name: str, **found: Any) -> None:
    """Beside what was kept under that name before."""
    path = _file(name)
    path.touch(mode=0o600)
    text = path.read_text("utf-8")
    path.write_text(json.dumps((json.loads(text) if text else {}) | found), "utf-8")


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_file(name).read_text("utf-8"))
    return found


def forget(name: str) -> None:
    _file(name).unlink(missing_ok=True)
