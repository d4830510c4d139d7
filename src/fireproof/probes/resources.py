"""What a component's processes hold, read from /proc: no tool, no load on what is measured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireproof.model.sample import RESOURCES_HEADER
from fireproof.probes.rows import RowWriter
from fireproof.processes import descendants, identify

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Held:
    """Sums over a component's processes."""

    processes: int
    rss_bytes: int
    handles: int
    threads: int
    connections: int


def read_held(pid: int) -> Held | None:
    """What a process and those below it hold now; None when it is not there."""
    if identify(pid) is None:
        return None
    rss = handles = threads = found = 0
    sockets: set[str] = set()
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):  # it ended between two looks
            place = Path(f"/proc/{one}")
            rss_pages = int((place / "statm").read_text().split()[1])
            links = _links(place / "fd")
            status = (place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            rss += rss_pages * _PAGE_BYTES
            handles += len(links)
            threads += int(status[17])
            sockets.update(link[8:-1] for link in links if link.startswith("socket:["))
            found += 1
    return Held(found, rss, handles, threads, len(sockets & established(pid))) if found else None


def _links(folder: Path) -> list[str]:
    links = []
    for entry in os.listdir(folder):
        with contextlib.suppress(OSError):
            links.append(os.readlink(folder / entry))
    return links


def established(pid: int) -> set[str]:
    """Inodes of the established TCP connections in a process's network."""
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
            found.update(_inodes(lines))
    return found


def _inodes(lines: Iterable[str]) -> Iterable[str]:
    rows = (line.split() for line in lines)
    return (row[9] for row in rows if row[3] == _ESTABLISHED)


class Look:
    """One look; it is over within the call, and told once the loop comes round."""

    def __init__(
        self, pid_file: Path, *, slot: int, due_ns: int, deadline_ns: int, ended: Callable[..., Any]
    ) -> None:
        self.slot, self.due_ns, self.deadline_ns = slot, due_ns, deadline_ns
        self.connected_ns: int | None = None
        self.end, self.why = "answered", ""
        self.sent_ns = time.monotonic_ns()
        self.held: Held | None = None
        with contextlib.suppress(OSError, ValueError):  # no pid-file: nobody is there
            self.held = read_held(int(pid_file.read_text().split()[0]))
        self.done_ns = time.monotonic_ns()
        asyncio.get_running_loop().call_soon(ended, self)

    def expire(self) -> None:
        """It cannot hang."""


class ResourcesObserver:
    """Writes what each look saw; good is that somebody was there."""

    header = RESOURCES_HEADER

    def __init__(self, rows: RowWriter) -> None:
        self._rows = rows

    def question(self, slot: int, now_ns: int) -> bytes:
        return b""

    def ended(self, attempt: Look) -> bool:
        held = attempt.held
        counts = (
            f"{held.processes},{held.rss_bytes},{held.handles},{held.threads},{held.connections}"
            if held
            else "0,,,,"
        )
        self._rows.add(f"{attempt.due_ns},{attempt.sent_ns},{attempt.done_ns},{counts}")
        return held is not None

    def not_sent(self, slot: int, due_ns: int, now_ns: int) -> None:
        self._rows.add(f"{due_ns},,,,,,,")
