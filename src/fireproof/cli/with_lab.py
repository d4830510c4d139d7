"""Drills in a lab of their own: up before the first, down after the last, whatever happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from fireproof.cli.compose import load_lab, vocabulary
from fireproof.cli.params import asked_for
from fireproof.cli.settings import RunSettings
from fireproof.cli.terminal import show_carets
from fireproof.drillfile import load_drill, render
from fireproof.errors import DrillFileError, FireproofError, Problem
from fireproof.guard.guardian import STOPS, say
from fireproof.guard.order import why_blocked
from fireproof.model.drill import Drill
from fireproof.model.environment import references
from fireproof.model.verdict import ExitCode, heaviest_exit


def check_all(settings: Sequence[RunSettings]) -> int:
    """0; 2 after printing every problem of every file; 3 when drills are blocked. Nothing runs."""
    return load_all(settings)[0]


def load_all(settings: Sequence[RunSettings]) -> tuple[int, list[Drill]]:
    """The code of ``check_all``, and the drills."""
    drills: list[Drill] = []
    problems: list[Problem] = []
    words = vocabulary()
    for one in settings:
        try:
            drills.append(load_drill(one.drill, words, asked_for(one)))
        except DrillFileError as error:
            problems += error.problems
    if problems:
        say(render(problems, carets=show_carets()))
        return ExitCode.USAGE, []
    if (blocked := why_blocked()) is not None:
        say(f"fireproof: {blocked}\nnothing was run.")
        return ExitCode.STOPPED_BEFORE_FAULT, []
    return 0, drills


def named_components(drills: Sequence[Drill]) -> set[str]:
    """What they drill, and what else their texts refer to as ``{component.key}``."""
    referred = {
        owner for drill in drills for owner, _ in references(drill.model_dump_json(by_alias=True))
    }
    return referred.union(*(drill.components for drill in drills))


def run_with_lab(
    settings: Sequence[RunSettings],
    run: Callable[[Sequence[RunSettings], Stops], int] | None = None,
) -> int:
    """Run the drills one after the other in a fresh lab; the heaviest exit code.

    The lab's servers are nobody's children here: a guardian that ends its tree must not take the
    restored database down. A lab that was up already is used and left up. ``run`` does something
    else with them than ``run_in_order``.
    """
    code, drills = load_all(settings)
    if code:
        return code
    quiet = all(one.output != "plain" for one in settings)
    report = (lambda text: None) if quiet else (lambda text: say(f"lab: {text}"))
    with Stops() as stops:
        try:
            scale = wanted_scale()
        except ValueError:
            say(f"fireproof: SCALE: expected a whole number, got {os.environ.get('SCALE')!r}")
            return ExitCode.USAGE
        try:
            lab = load_lab("lab")
            ours = lab.status() is None
            needed = lab.for_drills(named_components(drills))
            lab.up(scale=scale, components=needed, report=report)
        except FireproofError as error:
            say(f"fireproof: {error}\nnothing was run.")
            return ExitCode.STOPPED_BEFORE_FAULT
        code = int(ExitCode.DIRTY)  # until the drills have said otherwise
        try:
            code = (run or run_in_order)(settings, stops)
        finally:
            if ours and code != ExitCode.DIRTY:
                left = lab.down(report=report)
                for line in left:
                    say(f"fireproof: left behind by the lab: {line}")
                code = heaviest_exit([code, ExitCode.DIRTY]) if left else code
            elif ours:
                say("lab: left up, because a fault may still stand; fireproof lab down removes it")
    return code


def wanted_scale() -> int:
    """How much data the lab holds; raises ValueError."""
    return int(os.environ.get("SCALE") or 1)


def renew_lab(settings: Sequence[RunSettings], report: Callable[[str], None]) -> str:
    """A fresh lab with what these drills need in place of the one there is; "" or why not."""
    code, drills = load_all(settings)
    if code:
        return "its file has changed since the game day began"
    lab = load_lab("lab")
    try:
        if left := lab.down(report=lambda text: None):
            return f"the lab before it could not be cleared: {'; '.join(left)}"
        needed = lab.for_drills(named_components(drills))
        lab.up(scale=wanted_scale(), components=needed, report=report)
    except FireproofError as error:
        return f"there is no fresh lab for it: {error}"
    return ""


class Stops:
    """Signals to a caller of several drills: passed on to the one that runs, and remembered.

    Whoever calls drills goes down with nothing half done: the running one undoes and seals, the
    others do not begin, and the lab is taken down.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stops:
        for signum in STOPS:
            self._before[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.signum = self.signum or signum
        if self.child is not None:
            self.child.send_signal(signum)  # a terminal has told it already; once is enough there


def run_in_order(settings: Sequence[RunSettings], stops: Stops) -> int:
    """Run each in a process of its own; ends early when one leaves a fault behind, or at a stop."""
    codes: list[int] = []
    for one in settings:
        if stops.signum is not None:
            codes.append(128 + stops.signum)
            break
        argv = [sys.executable, "-m", "fireproof", *one.to_argv()]
        stops.child = subprocess.Popen(argv)
        code = stops.child.wait()
        codes.append(code if code >= 0 else 128 - code)
        stops.child = None
        if codes[-1] == ExitCode.DIRTY:
            break  # the next drill would measure the wreck of this one
    return heaviest_exit(codes)
