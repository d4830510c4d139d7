"""What a backup leaves in the archive when its run dies under it: objects that complete nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Archive, Checks, obey


def drop(wanted: dict[str, Any], _: Checks) -> None:
    """A backup of this run without its ``backup.json`` goes; whole ones, and others', stay."""
    archive = _archive(wanted)
    for name in _partial(archive, wanted["run"]):
        archive.do("purge", f"@base/{name}", what=f"removing the rest of {name}")


def look(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when there is such a rest."""
    left = _partial(_archive(wanted), wanted["run"])
    seen = ", ".join(left) or "none"
    checks.must("no-partial-backup", not left, "no partial backup of this run", seen)


def _archive(wanted: dict[str, Any]) -> Archive:
    return Archive(wanted["components"]["archive"])


def _partial(archive: Archive, run: str) -> list[str]:
    # One listing: between two the folder could be gone, or complete. Before the first backup there
    # is no `base/` at all, and rclone takes a missing folder of S3 for an empty one.
    listed = archive.do("lsf", "--recursive", "--files-only", "@base", what="listing the backups")
    objects = [line.partition("/") for line in listed.splitlines()]
    ours = {name for name, _, _ in objects if name.endswith(f"-{run[-12:]}")}
    whole = {name for name, _, path in objects if path == "backup.json"}
    return sorted(ours - whole)


ACTS = {"drop": drop, "look": look}


if __name__ == "__main__":
    obey(lambda wanted, checks: ACTS[sys.argv[1]](wanted, checks))
