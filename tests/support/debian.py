"""What comes from Debian packages: there, or the test is skipped by name; in CI it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def need(program: str, package: str) -> None:
    """Go on only when a program is there."""
    if Path(program).exists():
        return
    text = f"{program} is missing; make system-deps installs it (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
