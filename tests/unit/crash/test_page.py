"""The page on kills says what was seen, the bad first of all."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

PLACE = Path(__file__).parents[2] / "crash" / "page.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("crash_page", PLACE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def line(**more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "commit": "new",
        "on": "2026-01-02",
        "machine": "2 cores",
        "drill": "d",
        "who": "run",
    }
    told |= {"signal": "KILL", "phase": "recover", "outcome": "aborted", "code": 7, "named": False}
    return (
        told | {"struck": True, "undone_after_s": 0.5, "test": "t[x]", "ok": True, "why": ""} | more
    )


def test_kills_are_counted_by_victim_signal_and_phase() -> None:
    """Kills of an older commit, and those that came too late, prove nothing of this one."""
    kills = [line(test="b"), line(test="c", named=True), line(test="d", struck=False)]

    told = load().page([line(commit="old"), *kills])

    assert "2 kills: 1 at named points, 1 at random instants. As promised: 2." in told
    assert "| runner | KILL | 2 | 2 | 2 of 2 |" in told
    assert "Not counted: 1" in told
    assert "| runner | KILL | 2 | 0.50 s | 0.50 s |" in told


def test_what_was_seen_before_is_told_apart() -> None:
    """A thousand kills of last month say something, and not the same as ten of today."""
    old = [line(commit="old", test="a"), line(commit="old", test="b", ok=False, why="a key\nmore")]

    told = load().page([*old, line(test="a")])

    assert "1 kills: 0 at named points, 1 at random instants. As promised: 1." in told
    assert "Before what it tests changed: 2 kills, 1 as promised." in told
    assert "- Before what it tests changed: b: a key" in told


def test_a_kill_that_left_something_is_named() -> None:
    """A row of numbers hides one in a hundred."""
    told = load().page([line(test="good"), line(ok=False, why="a process is left\nmore")])

    assert "1 of 2" in told
    assert "- NOT AS PROMISED: t[x]: a process is left" in told


def test_a_kill_that_was_tried_again_counts_once_and_says_so() -> None:
    """A failure that was tried until it passed is a failure that somebody has to hear of."""
    told = load().page([line(ok=False, why="x"), line()])

    assert "1 kills" in told
    assert "1 earlier tries do not, 1 of them not as promised (below)." in told
    assert "- An earlier try of" in told
    assert ": x\n" in told
