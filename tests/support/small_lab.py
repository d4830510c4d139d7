"""A lab with only the components that a file of tests needs."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from proving_ground.lab import Lab


@contextlib.contextmanager
def small_lab(*components: str) -> Iterator[Lab]:
    """Up with these components, down without a trace."""
    folder = Path(tempfile.mkdtemp(prefix="fireproof-lab-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    lab = Lab(folder / "lab")
    try:
        lab.up(components=components, report=lambda _: None)
        try:
            yield lab
        finally:
            assert lab.down(report=lambda _: None) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
