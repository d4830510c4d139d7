"""The protocol of runner, guardian and sweeper as a small state machine, searched whole.

What the model has: a journal whose last record may not be durable yet, one fault, one child of a
step that harms again while it lives, a lock, deaths of runner and guardian at any point, and power
cuts, after which only the sweeper is left. Each rule of the design is a switch; with all of them on
every reachable state is safe and every end is good, and with any one off there is a counterexample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

RULES = ("fsync", "intent-first", "tree-kill", "lock", "sweeper")
DEAD = "dead"


@dataclass(frozen=True)
class State:
    runner: str = "start"  # start intent injected working reverted sealed dead
    guardian: str = "watching"  # watching owner undone sealed dead
    sweeper: str = "idle"  # idle owner undone sealed
    lock: str = "runner"
    intent: str = "none"  # none volatile durable
    fault: bool = False
    child: bool = False  # of a step; harms as long as it lives
    reverted: bool = False
    seals: int = 0  # outcomes; more than one is as bad as none
    cuts: int = 0  # power cuts so far; one is enough


def steps(state: State, rules: frozenset[str]) -> Iterator[tuple[str, State]]:
    yield from _runner(state, rules)
    yield from _guardian(state, rules)
    yield from _sweeper(state, rules)
    if state.child and not state.fault and state.runner != "start":
        yield "a step's child harms", replace(state, fault=True)
    if state.runner not in (DEAD, "done"):
        lock = "free" if state.lock == "runner" else state.lock
        yield "the runner dies", replace(state, runner=DEAD, lock=lock)
    if state.guardian != DEAD:
        lock = "free" if state.lock == "guardian" else state.lock
        # Without its guardian the runner hears of it and goes down by itself; that is its own way.
        yield "the guardian dies", replace(state, guardian=DEAD, lock=lock)
    if state.sweeper in ("owner", "undone"):
        lock = "free" if state.lock == "sweeper" else state.lock
        yield "the sweeper dies", replace(state, sweeper="idle", lock=lock)
    if state.cuts == 0:
        lost = "none" if state.intent == "volatile" else state.intent
        yield (
            "power is cut",
            replace(
                state,
                runner=DEAD,
                guardian=DEAD,
                sweeper="idle",
                lock="free",
                intent=lost,
                child=False,
                cuts=1,
            ),
        )


def _runner(state: State, rules: frozenset[str]) -> Iterator[tuple[str, State]]:
    match state.runner:
        case "start":
            if "intent-first" in rules:
                durable = "durable" if "fsync" in rules else "volatile"
                yield "intent recorded", replace(state, runner="intent", intent=durable)
            else:
                yield "harm first", replace(state, runner="unrecorded", fault=True)
        case "unrecorded":
            yield "intent after harm", replace(state, runner="injected", intent="durable")
        case "intent":
            yield "harm", replace(state, runner="injected", fault=True)
        case "injected":
            yield "a step starts a child", replace(state, runner="working", child=True)
        case "working":
            yield "the step ends with its tree", replace(state, runner="stepped", child=False)
        case "stepped":
            yield "undo", replace(state, runner="reverted", fault=False, reverted=True)
        case "reverted":
            sealed = replace(state, runner="done", seals=state.seals + 1, lock="free")
            yield "the runner seals", sealed


def _own(state: State, who: str, rules: frozenset[str]) -> State | None:
    """Take the run over: lock first, then the tree. None while somebody else holds it."""
    if "lock" in rules and state.lock != "free":
        return None
    child = state.child and "tree-kill" not in rules
    return replace(state, lock=who, child=child)


def _guardian(state: State, rules: frozenset[str]) -> Iterator[tuple[str, State]]:
    match state.guardian:
        case "watching" if state.runner == DEAD and not state.seals and state.intent != "none":
            owned = _own(state, "guardian", rules)
            if owned:
                yield "the guardian takes over", replace(owned, guardian="owner")
        case "owner":
            undone = replace(state, guardian="undone", fault=False, reverted=True)
            yield "the guardian undoes", undone
        case "undone":
            sealed = replace(state, guardian="done", seals=state.seals + 1, lock="free")
            yield "the guardian seals", sealed


def _sweeper(state: State, rules: frozenset[str]) -> Iterator[tuple[str, State]]:
    if "sweeper" not in rules:
        return
    match state.sweeper:
        case "idle" if not state.seals and state.intent != "none":
            owned = _own(state, "sweeper", rules)
            if owned:
                yield "the sweeper takes over", replace(owned, sweeper="owner")
        case "owner":
            yield "the sweeper undoes", replace(state, sweeper="undone", fault=False, reverted=True)
        case "undone":
            sealed = replace(state, sweeper="done", seals=state.seals + 1, lock="free")
            yield "the sweeper seals", sealed


def broken(state: State) -> str | None:
    """What is wrong with a state, whatever comes next."""
    if state.seals > 1:
        return "two outcomes"
    if state.seals and state.fault:
        return "sealed while a fault stands"
    if state.fault and state.intent == "none":
        return "a fault without an intent"
    return None


def bad_end(state: State) -> str | None:
    """What is wrong with a state in which nobody will act any more."""
    if state.fault:
        return "a fault stands for ever"
    if state.intent != "none" and not state.seals:
        return "no outcome"
    return None


def search(rules: frozenset[str]) -> tuple[int, str | None]:
    """(states, shortest counterexample or None)."""
    paths: dict[State, tuple[str, ...]] = {State(): ()}
    todo = [State()]
    while todo:
        state = todo.pop(0)
        wrong = broken(state)
        found = list(steps(state, rules))
        acting = [move for move, _ in found if not move.endswith(("dies", "cut"))]
        if wrong is None and not acting and not _somebody_left(state, rules):
            wrong = bad_end(state)
        if wrong is not None:
            return len(paths), " → ".join((*paths[state], wrong))
        for move, follower in found:
            if follower not in paths:
                paths[follower] = (*paths[state], move)
                todo.append(follower)
    return len(paths), None


def _somebody_left(state: State, rules: frozenset[str]) -> bool:
    """Whether a living process still owes a move that waits for another's."""
    waiting = state.runner not in (DEAD, "done")
    return waiting or state.lock != "free"


def test_the_protocol_holds_in_every_state() -> None:
    """Whatever dies, every fault is undone and one outcome is sealed."""
    states, counterexample = search(frozenset(RULES))

    assert counterexample is None
    assert 40 < states < 1000  # small enough to be searched whole, too large to be vacuous


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_can_be_left_out(rule: str) -> None:
    """A rule whose loss nobody notices is not needed, or the model sees nothing."""
    _, counterexample = search(frozenset(RULES) - {rule})

    assert counterexample is not None
