"""Ring 3: runs that nobody brought to an end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fireproof.guard.folder import RunFolder

STARTING_S = 60.0  # a folder without a journal is this long somebody's who is just starting


def unfinished(evidence: Path) -> list[RunFolder]:
    """Runs without a result whose owner is dead, oldest first; empty beginnings are removed."""
    runs = evidence / "runs"
    found = []
    for root in sorted(runs.iterdir()) if runs.is_dir() else ():
        folder = RunFolder(root)
        if not root.is_dir() or folder.result.exists():
            continue
        if not folder.journal.exists() and not _has_bundle(folder):
            if time.time() - root.stat().st_mtime > STARTING_S:
                folder.discard()
            continue
        lock = folder.try_lock()
        if lock is not None:
            os.close(lock)
            found.append(folder)
    return found


def _has_bundle(folder: RunFolder) -> bool:
    """Sealed, but killed before the result was written."""
    return any((folder.evidence / "bundles").glob(f"*/*/{folder.run}"))
