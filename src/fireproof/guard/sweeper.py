"""Ring 3: runs that nobody brought to an end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import RunFolder

STARTING_S = 60.0  # a folder without a record is this long somebody's who is just starting


def unfinished(evidence: Path) -> list[RunFolder]:
    """Runs without a result whose owner is dead, oldest first; empty beginnings are removed.

    Raises:
        EnvironmentRefusal: when a run cannot be looked at; a fault may stand behind it.
    """
    runs = evidence / "runs"
    found = []
    for root in sorted(runs.iterdir()) if runs.is_dir() else ():
        folder = RunFolder(root)
        if not folder.bag.is_dir() and folder.sealed is None:
            continue  # no run of ours
        try:
            if folder.result.exists():
                continue
            is_new = not folder.has_begun and time.time() - root.stat().st_mtime <= STARTING_S
            lock = None if is_new else folder.try_lock()
            if lock is None:
                continue
            if folder.has_begun:
                found.append(folder)
            else:
                folder.discard()
            os.close(lock)
        except OSError as error:
            raise EnvironmentRefusal(
                f"{error.filename or root}: cannot look at this unfinished run: {error.strerror}; "
                "let its owner say: fireproof recover"
            ) from error
    return found
