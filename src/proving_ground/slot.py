"""Which replicas are in service: one small file, replaced as a whole.

The switch asks each replica for ``/in-service``; a replica that the file does not name says no. So
one rename moves the traffic and nobody's configuration is reloaded.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def read_slot(path: Path) -> tuple[str, ...]:
    """Names in service; none when there is no file."""
    try:
        return tuple(path.read_text("utf-8").split())
    except OSError:
        return ()


def write_slot(path: Path, names: list[str]) -> None:
    """Put exactly these in service: readers see the old names or the new, never half of them."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write("\n".join(names) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(0o644)
    os.replace(fresh, path)


def main(argv: list[str]) -> int:
    """``slot FILE [NAME...]``: put these in service; without names, say which are."""
    if not argv or not all(_NAME.fullmatch(name) for name in argv[1:]):
        print("usage: python -m proving_ground slot FILE [NAME...]", file=sys.stderr)
        return 2
    path, names = Path(argv[0]), argv[1:]
    if names:
        write_slot(path, names)
    print(json.dumps(list(read_slot(path))))
    return 0
