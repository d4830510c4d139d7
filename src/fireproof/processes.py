"""Child processes on Linux: start them scrubbed, wait without losing them, end whole trees by pid.

Stdlib only; shared by the guardian and by everything that starts an outside tool.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
RUN_MARK = "FIREPROOF_RUN"  # every process that a run starts carries it, and its children do too
_KEPT = (RUN_MARK, "PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SCALE", "POSTGRES")
_TMPDIR_BEFORE = "FIREPROOF_TMPDIR_BEFORE"
TICK_S = 0.25  # how often a waiting caller gets to beat


def scrubbed(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a stranger: nothing of ours but the few names that are never secret."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {"LC_ALL": "C.UTF-8"} | kept | dict(extra or {})


def temporary_prefix(run: str) -> str:
    """How the name of a run's temporary folder begins: by the random end of the run's id.

    Short, because tools bind sockets below it, and a socket's path has 107 bytes.
    """
    return f"fp-{run[-12:]}-"


def use_temporary_folder(run: str) -> None:
    """What this process starts from now on keeps its temporary files in a folder of the run's.

    Whoever ends the run removes it, by its name: what a step that was killed has left there, too.
    """
    import tempfile  # 5 ms that the guardian has no use for

    folder = Path(tempfile.mkdtemp(prefix=temporary_prefix(run)))
    folder.chmod(0o711)  # a step may hand a folder below to another user
    os.environ[_TMPDIR_BEFORE] = os.environ.get("TMPDIR", "")
    os.environ["TMPDIR"] = str(folder)


def unmarked() -> dict[str, str]:
    """Scrubbed environment for what outlives a run: without its mark, its folder, its end."""
    found = {name: value for name, value in scrubbed().items() if name != RUN_MARK}
    if _TMPDIR_BEFORE in os.environ:
        found["TMPDIR"] = os.environ[_TMPDIR_BEFORE]
    return {name: value for name, value in found.items() if value}


def become_subreaper() -> None:
    """Orphans below this process become its children, so that none escapes by double fork."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent thread ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid with its start time, so that a reused pid is never mistaken for the old process."""

    pid: int
    start_ticks: int


def identify(pid: int) -> ProcessId | None:
    """Who has this pid now; None if nobody, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else ProcessId(pid, int(fields[19]))


def is_alive(who: ProcessId) -> bool:
    """Whether that very process still runs (stopped counts as running)."""
    return identify(who.pid) == who


def _parents() -> dict[int, int]:
    """Parent of every process there is now."""
    found: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # Without pathlib and decoding: a third of the time, for some hundred processes.
                fd = os.open(f"/proc/{entry}/stat", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    stat = os.read(fd, 4096)
                finally:
                    os.close(fd)
                found[int(entry)] = int(stat.rpartition(b")")[2].split()[1])
    return found


def _own_children() -> set[int]:
    """Pids of this process's children; looks at nobody else when the kernel says it has none."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return {pid for pid, above in _parents().items() if above == os.getpid()}


def children(parent: int) -> list[int]:
    """Pids right below ``parent``, zombies left out."""
    found = [pid for pid, above in _parents().items() if above == parent]
    return [pid for pid in found if identify(pid) is not None]


def descendants(root: int) -> list[int]:
    """Pids below ``root``, parents before children; ``root`` itself is not listed."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(0), [])
        found += below
        todo += below
    return found


def marked(run: str) -> list[int]:
    """Pids of the processes that a run started, whoever their parent is now; never ourselves."""
    mark = f"{RUN_MARK}={run}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def freeze_tree(root: int, *, including_root: bool = True) -> list[int]:
    """SIGSTOP everything below ``root``, and look again until nothing new has been forked.

    Who was stopped forks no more, so the last look saw all of them; parents before children.
    """
    frozen: list[int] = []
    while True:
        found = ([root] if including_root else []) + descendants(root)
        new = [pid for pid in found if pid not in frozen and identify(pid) is not None]
        if not new:
            return frozen
        for pid in new:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
        frozen += new


def kill_tree(root: int, *, including_root: bool = True, timeout_s: float = 5.0) -> list[int]:
    """SIGKILL everything below ``root`` until nothing is left; returns pids that would not die.

    Stops first, then kills, so that nothing forks away between the look and the kill. Reaps what
    are our own children.
    """
    give_up_at = time.monotonic() + timeout_s
    seen = {root} if including_root else set()
    while True:
        victims = freeze_tree(root, including_root=including_root)
        for pid in victims:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        seen.update(victims)
        for pid in seen:
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
        if not victims or time.monotonic() > give_up_at:
            return victims
        time.sleep(0.002)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child came to its end."""

    returncode: int  # negative: the signal that ended it
    timed_out: bool
    before_ns: int
    after_ns: int


def run_to_end(
    argv: Sequence[str],
    *,
    deadline_ns: int,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    beat: Callable[[], None] = lambda: None,
    pass_fds: Iterable[int] = (),
) -> Ended:
    """Run a command to its end or to the deadline; then its whole tree is killed.

    Output goes straight to the given files, never through this process. ``env`` is the whole
    environment (default: ``scrubbed()``). Raises OSError when it cannot be started.
    """
    before = time.monotonic_ns()
    ours = _own_children()
    child = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=dict(scrubbed() if env is None else env),
        cwd=cwd,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )
    try:
        timed_out = not wait_pid(child.pid, deadline_ns=deadline_ns, beat=beat)
        if timed_out:
            kill_tree(child.pid)
        returncode = child.wait()
    except BaseException:  # an interrupt: the step ends here, and so does all it started
        kill_tree(child.pid)
        child.wait()
        _end_orphans(ours)
        raise
    if timed_out:
        returncode = -signal.SIGKILL  # kill_tree reaped it, so Popen could not see the status
    _end_orphans(ours)
    return Ended(returncode, timed_out, before, time.monotonic_ns())


def _end_orphans(ours: set[int]) -> None:
    """What a step left in the background must not outlive it.

    Orphans come to us because the runner is a subreaper; elsewhere this finds nothing. Nobody else
    may start children of this process meanwhile: the engine starts probes and steps in one thread.
    """
    for orphan in _own_children() - ours:
        kill_tree(orphan)


def wait_pid(pid: int, *, deadline_ns: int, beat: Callable[[], None] = lambda: None) -> bool:
    """Wait until a child has ended (it stays to be reaped); False when the deadline came first."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        while True:
            beat()
            left_ms = (deadline_ns - time.monotonic_ns()) / 1e6
            if poller.poll(max(0.0, min(left_ms, TICK_S * 1000))):
                return True
            if left_ms <= 0:
                return False
    finally:
        os.close(pidfd)
