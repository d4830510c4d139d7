"""A real lab for the tests of this folder, and throwaway places that ``nobody`` can enter."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proving_ground.lab import Lab


def quiet(_: str) -> None:
    """A report nobody reads."""


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Under /var/tmp: pytest's own folders have mode 700, and root's servers run as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="fireproof-lab-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a lab may be made; whatever the test left of one is taken down."""
    with open_folder() as folder:
        root = folder / "lab"
        yield root
        if (root / ".fireproof-lab").exists():
            Lab(root).down(report=quiet)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One that is up, shared by the tests of a file."""
    with open_folder() as folder:
        lab = Lab(folder / "lab")
        lab.up(report=quiet)
        try:
            yield lab
        finally:
            assert lab.down(report=quiet) == []


@pytest.fixture(scope="module")
def components(lab: Lab) -> dict[str, Any]:
    """Its components as a drill sees them."""
    found: dict[str, Any] = lab.environment()["components"]
    return found
