"""Drills in a lab of their own: up before the first, down after the last, whatever happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from fireproof.cli.compose import load_lab, vocabulary
from fireproof.cli.settings import RunSettings
from fireproof.cli.terminal import show_carets
from fireproof.drillfile import load_drill, render
from fireproof.errors import DrillFileError, FireproofError, Problem
from fireproof.model.verdict import ExitCode, heaviest_exit


def say(text: str) -> None:
    """A line for the person, beside the result."""
    print(text, file=sys.stderr, flush=True)


def check_all(settings: Sequence[RunSettings]) -> int:
    """0, or 2 after printing every problem of every file; nothing has run."""
    problems: list[Problem] = []
    words = vocabulary()
    for one in settings:
        try:
            load_drill(one.drill, words)
        except DrillFileError as error:
            problems += error.problems
    if problems:
        say(render(problems, carets=show_carets()))
        return ExitCode.USAGE
    return 0


def run_with_lab(settings: Sequence[RunSettings]) -> int:
    """Run the drills one after the other in a fresh lab; the heaviest exit code.

    The lab's servers are nobody's children here: a guardian that ends its tree must not take the
    restored database down. A lab that was up already is used and left up.
    """
    code = check_all(settings)
    if code:
        return code
    quiet = all(one.output != "plain" for one in settings)
    report = (lambda text: None) if quiet else (lambda text: say(f"lab: {text}"))
    try:
        lab = load_lab("lab")
        ours = lab.status() is None
        lab.up(scale=int(os.environ.get("SCALE") or 1), report=report)
    except FireproofError as error:
        say(f"fireproof: {error}\nnothing was run.")
        return ExitCode.STOPPED_BEFORE_FAULT
    except ValueError:
        say(f"fireproof: SCALE: expected a whole number, got {os.environ.get('SCALE')!r}")
        return ExitCode.USAGE
    code = int(ExitCode.DIRTY)  # until the drills have said otherwise
    try:
        code = run_in_order(settings)
    finally:
        if ours and code != ExitCode.DIRTY:
            left = lab.down(report=report)
            for line in left:
                say(f"fireproof: left behind by the lab: {line}")
            code = heaviest_exit([code, ExitCode.DIRTY]) if left else code
        elif ours:
            say("lab: left up, because a fault may still stand; fireproof lab down removes it")
    return code


def run_in_order(settings: Sequence[RunSettings]) -> int:
    """Run each in a process of its own; stops when one leaves a fault behind."""
    codes: list[int] = []
    for one in settings:
        codes.append(_run(one))
        if codes[-1] == ExitCode.DIRTY:
            break  # the next drill would measure the wreck of this one
    return heaviest_exit(codes)


def _run(settings: RunSettings) -> int:
    """One drill in a process of its own; Ctrl-C reaches it by the terminal, we only wait."""
    child = subprocess.Popen([sys.executable, "-m", "fireproof", *settings.to_argv()])
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code
