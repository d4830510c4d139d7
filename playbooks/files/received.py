"""What a synchronous receiver of the WAL had flushed when its source died."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from archive import Stop

_LSN = re.compile(r"\blsn: ([0-9A-F]+/[0-9A-F]+),")
_SEGMENT = re.compile(r"([0-9A-F]{24})(\.partial)?")


def take_received(receiver: dict[str, str], database: dict[str, str], to: Path) -> dict[str, Any]:
    """Copy the received WAL there; returns the target: its last whole record.

    A commit is acknowledged after the receiver has flushed its record, so this target covers every
    acknowledged write.
    """
    to.mkdir(mode=0o755)  # holds no secret that the data directory does not hold; one reader
    for path in sorted(Path(receiver["directory"]).iterdir()):
        if match := _SEGMENT.fullmatch(path.name):
            shutil.copyfile(path, to / match[1])
            (to / match[1]).chmod(0o644)
    names = sorted(path.name for path in to.iterdir())
    if not names:
        raise Stop(f"{receiver['directory']} holds no WAL: was the receiver ever connected?")
    for name in reversed(names[-2:]):  # the newest may have been opened and not yet written to
        dump = [str(Path(database["bin"]) / "pg_waldump"), "-p", str(to), name]
        done = subprocess.run(dump, capture_output=True, text=True, errors="replace", check=False)
        found = _LSN.findall(done.stdout)
        if found:  # it ends with an error at the end of the WAL, as it must
            last = shortened(found[-1])
            return {"name": f"LSN {last}", "up-to": last, "lsn": last}
    raise Stop(f"no whole record in {', '.join(names[-2:])}")


def shortened(position: str) -> str:
    """As the server writes it in its log: without leading zeros."""
    high, _, low = position.partition("/")
    return f"{int(high, 16):X}/{int(low, 16):X}"
