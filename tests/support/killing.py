"""Kills of a real drill: which, where, by what; and the striking itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fireproof.processes import identify, is_alive

HARNESS = Path(__file__).with_name("kill_at")
VICTIMS = ("run", "guardian", "both")
SIGNALS = ("TERM", "INT", "HUP", "KILL", "SEGV", "STOP")
DEADLY = ("KILL", "SEGV", "STOP")
LOOK_S = 0.002
STOPPED_S = 1.0  # how long whoever runs a drill looks at it standing still before ending it
RUNNER_WITHIN_S = 60.0

# Of any drill: each edge of its way, before and after the record is durable.
EDGES = (
    *("open", "phase.baseline", "phase.fault", "intent", "injected"),
    *("phase.recover", "step-start.recover", "step-end.recover", "recovered"),
    *("phase.verify", "phase.revert", "revert-begin", "reverted", "residue"),
)
MOMENTS = ("before", "after")
NAMED = (*(f"{edge}:{moment}" for edge in EDGES for moment in MOMENTS), "0:seal", "0:sealed")

T = TypeVar("T")


@dataclass(frozen=True)
class Kill:
    """One kill of one drill: at a share of its measured length, or at a named point."""

    drill: str
    who: str
    signal: str
    at: str  # "0.372", "injected:before", or "seen:two-secrets" (of support.moments)

    @property
    def share(self) -> float | None:
        return None if ":" in self.at else float(self.at)

    @property
    def number(self) -> int:
        return int(signal.Signals[f"SIG{self.signal}"])

    @property
    def kills_both(self) -> bool:
        return self.who == "both" and self.signal in DEADLY

    @property
    def spec(self) -> str:
        """For FIREPROOF_KILL_AT; "" when it comes from outside at its time."""
        outside = self.share is not None or self.seen
        return "" if outside else f"{self.who}:{self.at}:{self.signal}"

    @property
    def seen(self) -> str:
        """What the lab must look like when it comes; "" for a kill of another kind."""
        return self.at.removeprefix("seen:") if self.at.startswith("seen:") else ""

    def __str__(self) -> str:
        return f"{self.drill}-{self.who}-{self.signal}-{self.at}"


def random_kills(drill: str, count: int, seed: str) -> list[Kill]:
    """Victim, signal and instant drawn apart, each uniformly."""
    draw = random.Random(f"{seed} {drill}")  # noqa: S311 - not a secret
    return [
        Kill(drill, draw.choice(VICTIMS), draw.choice(SIGNALS), f"{draw.random():.4f}")
        for _ in range(count)
    ]


def named_kills(drill: str, points: Sequence[str], seed: str) -> list[Kill]:
    """One kill a point; who and how is drawn, deadly ones first: a handler cannot help there."""
    draw = random.Random(f"{seed} {drill} named")  # noqa: S311 - not a secret
    return [
        Kill(drill, draw.choice(("run", "both")), draw.choice(("KILL", "KILL", "SEGV", "TERM")), at)
        for at in points
    ]


def shard(everything: Sequence[T], told: str) -> list[T]:
    """Every n-th of them from the i-th for ``i/n``; all of them for an empty text."""
    if not told:
        return list(everything)
    part, _, parts = told.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError(f"FIREPROOF_CRASH_SHARD: expected i/n such as 3/10, got {told!r}")
    return list(everything[int(part) - 1 :: int(parts)])


def wait_for_runner(told: Path) -> int | None:
    """Pid of the runner once the harness has written it down; None when there never was one."""
    give_up_at = time.monotonic() + RUNNER_WITHIN_S
    while time.monotonic() < give_up_at:
        with contextlib.suppress(FileNotFoundError):
            return int(told.read_text())
        time.sleep(LOOK_S)
    return None


def strike(kill: Kill, guardian: int, runner: int, at_s: float) -> int | None:
    """Send the signal at that instant (CLOCK_MONOTONIC); when it was, or None: they had ended."""
    left = identify(runner)
    while (wait_s := at_s - time.monotonic()) > 0:
        if left is None or not is_alive(left):
            return None
        time.sleep(min(wait_s, 0.05))
    victims = [guardian] if kill.who in ("guardian", "both") else []
    victims += [runner] if kill.who in ("run", "both") else []
    if left is None or not is_alive(left) or identify(guardian) is None:
        return None
    now = time.monotonic_ns()
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kill.number)
    return now


def strike_when(kill: Kill, guardian: int, runner: int, seen: Callable[[], bool]) -> int | None:
    """Send the signal as soon as that comes to be so; as ``strike``."""
    left, was = identify(runner), True  # an earlier run may have left it so
    while left is not None and is_alive(left):
        before, was = was, seen()
        if was and not before:
            return strike(kill, guardian, runner, time.monotonic())
        time.sleep(LOOK_S)
    return None


def grow_old(evidence: Path) -> None:
    """Let runs be long gone: who begins now is left alone by the sweeper for a minute."""
    for folder in evidence.glob("runs/*"):
        os.utime(folder, (time.time() - 3600,) * 2)


def see_to_the_stopped(kill: Kill, guardian: int, runner: int) -> None:
    """What a person does: a stopped guardian is continued, two that stand still are ended."""
    if kill.signal != "STOP" or kill.who == "run":
        return
    if kill.who == "guardian":
        wait_until_gone(runner)
        with contextlib.suppress(ProcessLookupError):
            os.kill(guardian, signal.SIGCONT)
        return
    time.sleep(STOPPED_S)
    for pid in (guardian, runner):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until_gone(pid: int, timeout_s: float = 240.0) -> None:
    """Until this process has ended by itself."""
    who = identify(pid)
    give_up_at = time.monotonic() + timeout_s
    while who is not None and is_alive(who):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"process {pid} did not end")
        time.sleep(0.02)
