"""The secret of signed requests: current on the first line, the previous one below it."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from private import replace_private


def rotate(wanted: dict[str, Any], checks: Checks) -> None:
    """``add`` or ``drop``; ``settle`` takes an ``add`` back, ``is-settled`` only looks. What counts
    is seen by requests; secrets are never shown.
    """
    path = Path(wanted["service"]["event-secret-file"])
    lines = path.read_text("ascii").split()
    if wanted["verb"] == "add":
        if len(lines) > 1:
            raise Stop("add: two secrets count already; drop the previous one first")
        lines = [secrets.token_hex(32), lines[0]]
    elif wanted["verb"] == "drop":
        if len(lines) < 2:
            raise Stop("drop: only one secret counts; add another first")
        lines = lines[:1]
    elif wanted["verb"] == "settle":
        lines = lines[-1:]
    elif wanted["verb"] == "is-settled":
        checks.must("one-secret", len(lines) == 1, "1 secret counts", f"{len(lines)} do")
        return
    else:
        raise Stop(f"verb: expected add or drop, got {wanted['verb']!r}")
    replace_private(path, "".join(f"{line}\n" for line in lines))
    count = len(path.read_text("ascii").split())
    checks.must("secrets-in-file", count == len(lines), str(len(lines)), str(count))


if __name__ == "__main__":
    obey(rotate)
