"""Ring 1: the parent that outlives the runner.

It loads nothing but the standard library, forks the runner, and waits. When the runner dies
without a result, it ends every descendant first and then has a fresh process undo and seal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fireproof.guard.abandon import abandon
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart, Pulse
from fireproof.guard.say import say
from fireproof.guard.sweeper import unfinished
from fireproof.guard.vigil import STOPS, Vigil
from fireproof.processes import become_subreaper, die_with_parent, kill_tree

__all__ = ["STOPS", "recover", "say", "supervise", "sweep"]

# Undo of every fault (3 attempts of 120 s each), the wait for a lease, judge and seal.
RECOVER_TIMEOUT_S = 3600.0


def sweep(evidence: Path) -> list[RunFolder]:
    """Bring what is left of earlier runs to its end; those behind which a fault may still stand.

    Raises:
        EnvironmentRefusal: when a run cannot be looked at.
    """
    standing = []
    for folder in unfinished(evidence):
        if folder.abandoned.exists():  # a person has it in hand, and its components are quarantined
            say(f"fireproof: run {folder.run} was abandoned: fireproof recover {folder.root}")
            continue
        say(f"fireproof: run {folder.run} was left unfinished; recovering it")
        recover(folder, "the run was found without an owner", "sweeper")
        if folder.read_result() is None and not folder.is_down:
            standing.append(folder)
    return standing


def recover(
    folder: RunFolder,
    why: str,
    by: str,
    options: Sequence[str] = (),
    *,
    vigil: Vigil | None = None,
) -> int:
    """Undo and seal in a fresh process of its own session; its exit code.

    What it prints for people goes to our stderr; with ``options`` such as ``--json`` its result
    goes to our stdout, because it is then the result of this call. ``vigil`` listens meanwhile.
    """
    argv = [sys.executable, "-m", "fireproof", "recover", str(folder.root), "--why", why]
    argv += ["--by", by]
    child = subprocess.Popen(
        [*argv, *options],
        stdin=subprocess.DEVNULL,
        stdout=None if by == "guardian" else 2,
        start_new_session=True,
    )
    try:
        if vigil is not None and vigil.wait(
            child.pid, give_up_at=time.monotonic() + RECOVER_TIMEOUT_S
        ):
            raise subprocess.TimeoutExpired(argv, RECOVER_TIMEOUT_S)
        return child.wait(RECOVER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        kill_tree(child.pid)
        if vigil is not None:  # the wait killed its root first, so what was below came to us
            kill_tree(os.getpid(), including_root=False)
        child.wait()
        if vigil is None or not vigil.abandoned:
            by_hand = " ".join(argv[:5])
            say(f"fireproof: recovery of {folder.run} took too long; by hand: {by_hand}")
        return 4


def supervise(
    folder: RunFolder,
    runner: Callable[[Heart], int],
    *,
    between: Callable[[], None] = lambda: None,
    options: Sequence[str] = (),
    asked: Callable[[], str | None] = lambda: None,
) -> int:
    """Run ``runner`` in a forked child and answer for its end; the run's exit code.

    The caller has blocked STOPS; the runner unblocks them once it can take them. ``between`` is
    called in the guardian once the child has been forked; ``options`` go to a recovery; ``asked``
    says that somebody wants the run stopped.
    """
    guardian = os.getpid()
    pulse = Pulse()
    child = os.fork()
    if child == 0:
        die_with_parent(signal.SIGTERM)
        if os.getppid() != guardian:
            os._exit(70)  # the guardian died before the line above; nothing has been done
        os.close(pulse.reads)
        _run(runner, Heart(pulse.writes))
    vigil = Vigil(folder, asked)
    vigil.listen()
    pulse.listen()
    between()
    become_subreaper()
    hung = vigil.wait(child, pulse=pulse)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    kill_tree(guardian, including_root=False)
    if vigil.abandoned:
        return abandon(folder)
    how = "" if code >= 0 else "it hung" if hung else f"signal {-code}"
    return _answer(folder, code if code >= 0 else 128 - code, how, options, vigil)


def _answer(folder: RunFolder, code: int, how: str, options: Sequence[str], vigil: Vigil) -> int:
    """Exit code once the runner is gone; whatever it left open is brought to its end first."""
    result = folder.read_result()
    if result is not None:
        return int(result["exit_code"])  # also when the runner was killed after writing it
    if not folder.root.exists():
        return code or 70  # it never began, and says why; 0 would claim that it had
    if not folder.has_begun:
        folder.discard()
        return code or 70
    if not how and folder.is_down:
        return code  # undone but not sealed: the runner has said why, the next start tries again
    how = how or f"exit code {code}"
    code = recover(folder, f"the runner died ({how})", "guardian", options, vigil=vigil)
    if vigil.abandoned:
        return abandon(folder)
    if folder.read_result() is None and not folder.is_down:
        say(f"fireproof: A FAULT MAY STILL STAND; now: fireproof recover {folder.root}")
        return 4
    return code if code >= 0 else 5


def _run(runner: Callable[[Heart], int], heart: Heart) -> None:
    code = 70
    try:
        heart.start()
        code = runner(heart)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 70
    except BaseException:
        import traceback

        say(traceback.format_exc())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)
