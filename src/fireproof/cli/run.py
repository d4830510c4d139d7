"""``fireproof run``: the guardian's side loads only the standard library."""

from __future__ import annotations

import gc
import os
import signal
import sys

from fireproof.cli.settings import RunSettings, parse_run


def main(argv: list[str]) -> int | None:
    """Exit code of the run; None when the call needs click to answer (help, usage errors)."""
    settings = parse_run(argv)
    return None if settings is None else run(settings)


def run(settings: RunSettings) -> int:
    """Exit code of one run, in a lab of its own if so asked."""
    if not settings.with_lab:
        return guarded(settings)
    from fireproof.cli.with_lab import run_with_lab

    return run_with_lab([settings])


def comes_down_with(parent: int) -> bool:
    """Have a stop sent to us when the game day's process dies; False when it is dead already."""
    from fireproof.processes import die_with_parent

    die_with_parent(signal.SIGTERM)
    return os.getppid() == parent


def guarded(settings: RunSettings) -> int:
    """Fork the signer and the runner, and answer for their end."""
    gc.disable()  # importing makes no garbage worth a collection
    if settings.parent and not comes_down_with(settings.parent):
        return 3
    from fireproof import expiry
    from fireproof.errors import EnvironmentRefusal
    from fireproof.evidence.layout import EvidenceRoot
    from fireproof.evidence.signer import start_signer
    from fireproof.guard.folder import RunFolder, new_run_id
    from fireproof.guard.guardian import STOPS, say, supervise, sweep
    from fireproof.guard.heartbeat import Heart
    from fireproof.guard.order import why_blocked
    from fireproof.guard.roll import enter

    evidence = settings.evidence.absolute()
    try:
        standing = sweep(evidence)
    except EnvironmentRefusal as error:
        say(f"fireproof: {error}\nnothing was run.")
        return 3
    for left in standing:
        say(f"fireproof: a fault of an earlier run may still stand: fireproof recover {left.root}")
    if standing:
        say("nothing was run.")
        return 3
    folder = RunFolder(evidence / "runs" / (settings.run_id or new_run_id()))
    try:
        entry = enter(folder, drill=settings.drill.stem, environment=settings.environment)
    except EnvironmentRefusal as error:
        say(f"fireproof: {error}\nnothing was run.")
        return 3
    if (blocked := why_blocked()) is not None:  # only now: whoever blocks from here on sees us
        entry.leave()
        say(f"fireproof: {blocked}\nnothing was run.")
        return 3
    expiry.start_keeper()  # before anybody here becomes a subreaper: it is to outlive us

    def runner(heart: Heart) -> int:
        from fireproof.cli.runner import run

        return run(settings, folder, signer, heart, entry.asked)

    sys.stdout.flush()
    # Runner and guardian let signals in again once each can take them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    signer = start_signer(EvidenceRoot(evidence))  # imports its crypto on the other core
    options = [] if settings.output == "plain" else [f"--{settings.output}"]
    try:
        return supervise(folder, runner, between=signer.release, options=options, asked=entry.asked)
    finally:
        signer.close()
        entry.leave()
