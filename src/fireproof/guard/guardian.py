"""Ring 1: the parent that outlives the runner.

It loads nothing but the standard library, forks the runner, and waits. When the runner dies
without a result, it ends every descendant first and then has a fresh process undo and seal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fireproof.guard.folder import RunFolder
from fireproof.guard.sweeper import unfinished
from fireproof.journal import read_bytes
from fireproof.processes import become_subreaper, die_with_parent, kill_tree

RECOVER_TIMEOUT_S = 600.0  # undo of every fault (each bounded), judge and seal
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def sweep(evidence: Path) -> None:
    """Bring what is left of earlier runs to its end, before anything new starts."""
    for folder in unfinished(evidence):
        print(f"fireproof: run {folder.run} was left unfinished; recovering it", file=sys.stderr)
        recover(folder, "the run was found without an owner", "sweeper")


def recover(folder: RunFolder, why: str, by: str) -> int:
    """Undo and seal in a fresh process; its exit code."""
    argv = [sys.executable, "-m", "fireproof", "recover", str(folder.root), "--why", why]
    argv += ["--by", by]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        return child.wait(RECOVER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        kill_tree(child.pid)
        print(
            f"fireproof: recovery of {folder.run} took too long; run: {' '.join(argv[:5])}",
            file=sys.stderr,
        )
        return 4


def supervise(
    folder: RunFolder, runner: Callable[[], int], *, between: Callable[[], None] = lambda: None
) -> int:
    """Run ``runner`` in a forked child and answer for its end; the run's exit code.

    ``between`` is called in the guardian once the child has been forked.
    """
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(signal.SIGTERM)
        if os.getppid() != guardian:
            os._exit(70)  # the guardian died before the line above; nothing has been done
        _run(runner)
    between()
    become_subreaper()
    # A terminal sends SIGINT to both of us; the runner takes the first and is deaf to the second.
    for signum in _FORWARDED:
        signal.signal(signum, lambda number, _: _forward(child, number))
    status = _wait(child)
    code = os.waitstatus_to_exitcode(status)
    if folder.read_result() is not None or not folder.root.exists():
        kill_tree(guardian, including_root=False)
        return code if code >= 0 else 128 - code
    kill_tree(guardian, including_root=False)
    if not folder.journal.exists():
        folder.discard()
        return code if code > 0 else 70
    if code >= 0 and _is_down(folder):
        return code  # undone but not sealed: the runner has said why, the next start tries again
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return recover(folder, f"the runner died ({how})", "guardian")


def _run(runner: Callable[[], int]) -> None:
    code = 70
    try:
        code = runner()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 70
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _is_down(folder: RunFolder) -> bool:
    """Whether the way down was recorded to its end."""
    records = read_bytes(folder.journal.read_bytes()).records
    return bool(records) and records[-1].kind == "residue"


def _forward(child: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signum)


def _wait(child: int) -> int:
    """Wait status of the child; reaps orphans that were handed to us meanwhile."""
    pidfd = os.pidfd_open(child)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    while not poller.poll(1000):
        _reap_others(child)
    os.close(pidfd)
    return os.waitpid(child, 0)[1]


def _reap_others(child: int) -> None:
    while True:
        try:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if info is None or info.si_pid == child:
            return
        os.waitpid(info.si_pid, 0)


def wait_for_lock(folder: RunFolder, timeout_s: float) -> int | None:
    """The run's lock once its owner is gone, or None."""
    give_up_at = time.monotonic() + timeout_s
    while (fd := folder.try_lock()) is None and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return fd
