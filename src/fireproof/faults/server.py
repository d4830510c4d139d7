"""A component's server from outside: its pid-file, its commands, its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fireproof.errors import FireproofError
from fireproof.processes import (
    ProcessId,
    descendants,
    identify,
    is_alive,
    kill_tree,
    unmarked,
    wait_pid,
)

_START_ATTEMPTS, _START_PAUSE_NS = 5, 5 * 10**8
_REAP_GRACE_NS = 200 * 10**6  # longer would widen the interval of the injection
_REUSED_SLACK_S = 5.0  # a pid-file is written after its process began; clocks are read apart


class ControlError(FireproofError):
    """A stop or start command failed, or a server did not do what it was told."""


def running(pid_file: str) -> ProcessId | None:
    """Who the pid-file names, if it runs. The first line is the pid, as in postmaster.pid."""
    try:
        first = Path(pid_file).read_text("utf-8", "replace").split("\n", 1)[0].strip()
    except OSError:
        return None
    return identify(int(first)) if first.isdecimal() and int(first) > 0 else None


def why_not_to_harm(pid_file: str, who: ProcessId) -> str | None:
    """Reason to leave this process alone: it is us, or it took over an old server's pid."""
    above = os.getpid()
    while above > 0:
        if above == who.pid:
            return f"pid {who.pid} in {pid_file} is this program or one that started it"
        try:
            stat = Path(f"/proc/{above}/stat").read_text("utf-8", "replace")
        except OSError:
            break
        above = int(stat.rpartition(")")[2].split()[1])
    with contextlib.suppress(OSError):
        file_age_s = time.time() - Path(pid_file).stat().st_mtime
        began_s = who.start_ticks / os.sysconf("SC_CLK_TCK")
        process_age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - began_s
        if process_age_s < file_age_s - _REUSED_SLACK_S:
            return f"pid {who.pid} is younger than {pid_file}, which names it: a reused pid"
    return None


def control(argv: Sequence[str], *, cwd: str, deadline_ns: int, beat: Callable[[], None]) -> None:
    """Run a stop or start command. What it leaves running is a server, and is left running.

    Raises:
        ControlError: when it fails or does not end in time.
    """
    with tempfile.TemporaryFile(prefix="fireproof-") as said:
        try:
            # A file, not a pipe: a server that the command leaves behind keeps its stdout open.
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=unmarked(),
                cwd=cwd if os.path.isdir(cwd) else "/",
                start_new_session=True,
            )
        except OSError as err:
            raise ControlError(f"cannot start {argv[0]!r}: {err.strerror}") from err
        late = not wait_pid(child.pid, deadline_ns=deadline_ns, beat=beat)
        if late:
            kill_tree(child.pid)
        returncode = child.wait()
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - 2000))
        lines = said.read().decode("utf-8", "replace").split("\n")
    last = next((": " + line.strip() for line in reversed(lines) if line.strip()), "")
    if late:
        raise ControlError(f"{' '.join(argv)!r} did not end in time{last}")
    if returncode != 0:
        raise ControlError(f"{' '.join(argv)!r} ended with {returncode}{last}")


def start_server(argv: Sequence[str], *, pid_file: str, cwd: str, deadline_ns: int) -> None:
    """Run the start command until its server runs.

    Tried again for a while: PostgreSQL refuses to start as long as the process that its lock file
    names is a zombie, and some machines reap only once a second.

    Raises:
        ControlError: when there is no running server in the end.
    """
    for attempt in range(_START_ATTEMPTS):
        try:
            control(argv, cwd=cwd, deadline_ns=deadline_ns, beat=lambda: None)
            break
        except ControlError:
            last = attempt == _START_ATTEMPTS - 1
            if last or time.monotonic_ns() + _START_PAUSE_NS >= deadline_ns:
                raise
            time.sleep(_START_PAUSE_NS / 1e9)
    if not wait_until(lambda: running(pid_file) is not None, deadline_ns=deadline_ns):
        raise ControlError(f"it was started and does not run: {pid_file} names nobody")


def wait_until(
    true: Callable[[], bool], *, deadline_ns: int, beat: Callable[[], None] = lambda: None
) -> bool:
    """Whether it became true by the deadline; looked at every 10 ms, at least once."""
    while not true():
        if time.monotonic_ns() >= deadline_ns:
            return False
        beat()
        time.sleep(0.01)
    return True


def is_stopped(who: ProcessId) -> bool:
    """Whether that very process is in state T."""
    try:
        stat = Path(f"/proc/{who.pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "T" and is_alive(who)


def send(signum: int, who: ProcessId) -> None:
    """Signal that very process, never one that took its pid; nothing when it is gone."""
    try:
        pidfd = os.pidfd_open(who.pid)
    except OSError:
        return
    try:
        if is_alive(who):  # looked at while the pidfd holds the process
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signum)
    finally:
        os.close(pidfd)


def tree_of(root: ProcessId) -> list[ProcessId]:
    """The process and everything below it, parents first; empty when it is gone."""
    if not is_alive(root):
        return []
    below = (identify(pid) for pid in descendants(root.pid))
    return [root, *(who for who in below if who is not None)]


def freeze(root: ProcessId, *, deadline_ns: int) -> list[ProcessId]:
    """SIGSTOP the whole tree; parents first, until no new child turns up."""
    held: list[ProcessId] = []
    while new := [who for who in tree_of(root) if who not in held]:
        for who in new:
            send(signal.SIGSTOP, who)
        # A parent that is still running could fork once more.
        settled = wait_until(
            lambda new=new: all(is_stopped(who) or not is_alive(who) for who in new),  # type: ignore[misc]
            deadline_ns=deadline_ns,
        )
        held += new
        if not settled:
            break
    return held


def end_tree(root: ProcessId, *, deadline_ns: int, beat: Callable[[], None] = lambda: None) -> int:
    """SIGKILL the whole tree and wait until it is gone; returns how many processes it had.

    Raises:
        ControlError: when something of it survives.
    """
    victims = freeze(root, deadline_ns=deadline_ns)
    for who in victims:
        send(signal.SIGKILL, who)
    if not wait_until(
        lambda: not any(is_alive(who) for who in victims), deadline_ns=deadline_ns, beat=beat
    ):
        left = [str(who.pid) for who in victims if is_alive(who)]
        raise ControlError(f"still alive after SIGKILL: {', '.join(left)}")
    # Until its parent reaps it, pg_ctl and the like still take the dead server for a live one.
    reaped_ns = min(deadline_ns, time.monotonic_ns() + _REAP_GRACE_NS)
    wait_until(lambda: not os.path.exists(f"/proc/{root.pid}"), deadline_ns=reaped_ns, beat=beat)
    return len(victims)
