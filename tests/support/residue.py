"""What a run may not leave behind, whoever was killed: asked of the kernel, not of fireproof.

The one audit of all crash tests. A new kind of thing that a drill makes is looked for here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fireproof.processes import descendants, identify, marked, temporary_prefix

SETTLE_S = 5.0  # a process that was just killed is reaped within this


@dataclass(frozen=True)
class Surroundings:
    """Where a run's traces would be, and what belongs there all the same."""

    evidence: Path
    leases: Path
    known_by: tuple[Path, ...]  # a process that names one of these is the drill's or its system's
    servers: Callable[[], Iterable[int]]  # roots of the trees that outlive a run
    alone: Callable[[], Iterable[int]] = list  # these outlive it too, but nothing else below them
    ports: frozenset[int] = frozenset()  # those servers' own
    scratch: Path | None = None  # TMPDIR of the run, shared with nobody
    places: tuple[Path, ...] = ()  # folders that the drill works in
    there: frozenset[str] = field(default_factory=frozenset)  # what lay in them before


def contents(places: Iterable[Path]) -> frozenset[str]:
    """Names in these folders."""
    return frozenset(str(path) for place in places for path in place.iterdir())


def left_behind(run: str, around: Surroundings, *, may_stay: Iterable[str] = ()) -> list[str]:
    """One line for each thing that is left; processes get a moment to be reaped.

    Args:
        run: its id.
        around: where to look.
        may_stay: paths in ``places`` that the run rightly made and left.
    """
    give_up_at = time.monotonic() + SETTLE_S
    while found := _processes(run, around):
        if time.monotonic() > give_up_at:
            break
        time.sleep(0.05)
    found += _ports(around)
    found += _traps(run, around)
    found += _leases(around.leases)
    found += _private_folders(run, around)
    found += _run_folders(around.evidence)
    new = contents(around.places) - around.there - set(may_stay)
    return found + [f"{path} was left" for path in sorted(new)]


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return "?"


def _ours(around: Surroundings) -> list[int]:
    """Everybody whose words, folder or environment name one of the drill's folders."""
    names = [str(path).encode() for path in around.known_by]
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or identify(int(entry)) is None:
            continue
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{entry}/cmdline").read_bytes()
            told += os.readlink(f"/proc/{entry}/cwd").encode()
            told += Path(f"/proc/{entry}/environ").read_bytes()
            if any(name in told for name in names):
                found.append(int(entry))
    return found


def _stays(around: Surroundings) -> set[int]:
    roots = set(around.servers())
    below = {pid for root in roots for pid in descendants(root)}
    return roots | below | set(around.alone())


def _processes(run: str, around: Surroundings) -> list[str]:
    left = set(marked(run)) | (set(_ours(around)) - _stays(around))
    return [f"process {pid} is left: {_words(pid)}" for pid in sorted(left) if identify(pid)]


def _ports(around: Surroundings) -> list[str]:
    """Servers that may stay listen where they did, and nowhere else."""
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == "0A":  # LISTEN
                    inodes[f"socket:[{columns[9]}]"] = int(columns[1].rpartition(":")[2], 16)
    found = []
    for pid in _stays(around):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    port = inodes.get(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
                    if port is not None and around.ports and port not in around.ports:
                        found.append(f"port {port} is left: {_words(pid)}")
    return found


def _traps(run: str, around: Surroundings) -> list[str]:
    """Expiries that are still armed; each listens on a name that the journal holds."""
    armed = Path("/proc/net/unix").read_text()
    journals = [*around.evidence.glob(f"runs/{run}/bag/data/journal.jsonl")]
    journals += around.evidence.glob(f"bundles/*/*/{run}/data/journal.jsonl")
    found = []
    for journal in journals:
        for line in journal.read_text().splitlines():
            record = json.loads(line)
            token = record["data"].get("undo", {}).get("expiry") if record["data"] else None
            if record["kind"] == "intent" and token and str(token) in armed:
                found.append(f"an expiry is still armed: {token}")
    return found


def _leases(folder: Path) -> list[str]:
    found = [f"quarantine: {path.name}" for path in folder.glob("*.quarantine")]
    return found + [f"lease is held: {path.name}" for path in folder.glob("*.lease") if held(path)]


def held(lock: Path) -> bool:
    """Whether somebody holds an exclusive lock on this file."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _private_folders(run: str, around: Surroundings) -> list[str]:
    places = {Path("/dev/shm"), Path(tempfile.gettempdir())}
    names = (f"fireproof-{run}*", f"{temporary_prefix(run)}*")
    found = [path for place in places for name in names for path in place.glob(name)]
    if around.scratch is not None:
        found += around.scratch.iterdir()
    return [f"{path} was left" for path in found]


def _run_folders(evidence: Path) -> list[str]:
    """A finished run keeps its result and its free lock; everything else is in the bundle."""
    found = []
    for path in evidence.glob("runs/*/*"):
        if path.name not in ("result.json", "lock"):
            found.append(f"{path} was left")
        elif path.name == "lock" and held(path):
            found.append(f"{path} is held")
    bundles = evidence.glob("bundles/*/*/*")
    return found + [f"{path} is no bundle" for path in bundles if not (path / "run.json").exists()]
