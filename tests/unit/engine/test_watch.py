"""Conditions to abort: looked at all the time, or the record says that they were not."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from fireproof.engine.watch import Watch, Watched
from fireproof.model.drill import AbortWhen

S = 10**9


class Probe:
    """Has seen so many errors."""

    def __init__(self, errors: int) -> None:
        self.count = errors

    def errors(self) -> int:
        return self.count


def watch(*conditions: str, errors: int = 0, phase: str = "baseline") -> tuple[Watch, list[str]]:
    asked: list[str] = []
    watched = cast(Watched, {"api": cast(Any, Probe(errors))})
    when = [AbortWhen(when=condition) for condition in conditions]
    made = Watch(when, lambda: watched, lambda: phase, lambda why, by: asked.append(f"{by}: {why}"))
    return made, asked


def test_a_condition_that_holds_ends_the_run() -> None:
    """The harm would go on."""
    found, asked = watch("api.errors > 3", errors=4)

    found.look(0)

    assert asked == ["abort-condition: abort condition 'api.errors > 3': 4 errors"]
    assert "held, and ended the run" in found.found()[2]


def test_before_the_fault_means_before_the_fault() -> None:
    """Errors after it are what the fault is for."""
    found, asked = watch("api.errors > 3 before fault", errors=4, phase="fault")

    found.look(0)

    assert asked == []


def test_a_pause_between_two_looks_is_no_watch() -> None:
    """Three seconds of harm that nobody looked at."""
    found, _ = watch("api.errors > 3")
    for at_ns in (0, S // 5, 3 * S + S // 5):
        found.look(at_ns)

    ok, expected, observed = found.found()

    assert not ok
    assert expected == "each looked at while it applies, at most 2 s apart"
    assert observed == "api.errors > 3: 3 looks, at most 3.00 s apart, 0 errors"


def test_a_condition_that_was_never_looked_at_is_no_watch() -> None:
    """Its probe was never there."""
    found, _ = watch("api.errors > 3", "gone.errors > 0")
    found.look(0)
    found.look(S // 5)

    ok, _, observed = found.found()

    assert not ok
    assert "gone.errors > 0: never looked at" in observed


def test_looked_at_all_the_time_is_what_is_promised() -> None:
    """And a drill without conditions shows nothing."""
    found, _ = watch("api.errors > 3", errors=2)
    for look in range(10):
        found.look(look * S // 5)

    assert found.found()[0]
    assert watch()[0].found()[::2] == (False, "the drill has no condition")


def test_each_condition_is_counted_for_itself() -> None:
    """What was over before the harm was not looked at during it, and says no more than it saw."""
    phases = iter(["baseline"] * 2 + ["fault"] * 20)
    probes = cast(Watched, {"api": cast(Any, Probe(0)), "web": cast(Any, Probe(0))})
    when = [AbortWhen(when=text) for text in ("api.errors > 3 before fault", "web.errors > 3")]
    found = Watch(when, lambda: probes, lambda: next(phases), lambda why, by: None)
    for look in range(20):
        found.look(look * S // 5)

    ok, _, observed = found.found()

    assert ok
    assert observed == (
        "api.errors > 3 before fault: 2 looks, at most 0.20 s apart, 0 errors; "
        "web.errors > 3: 20 looks, at most 0.20 s apart, 0 errors"
    )


class Broken:
    """A source that cannot tell."""

    def errors(self) -> int:
        raise OSError("gone")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_died_is_no_watch() -> None:
    """Nobody looks any more, and nobody would know."""
    sources: list[Any] = [Probe(0), Probe(0), Broken()]
    when = [AbortWhen(when="api.errors > 3")]
    found = Watch(when, lambda: {"api": sources.pop(0)}, lambda: "fault", lambda why, by: None)
    thread = threading.Thread(target=found.run, args=(threading.Event(),))
    thread.start()
    thread.join(5)

    ok, _, observed = found.found()

    assert not ok
    assert observed.startswith("api.errors > 3: 2 looks")
    assert observed.endswith("; the watch died")
