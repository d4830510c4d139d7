"""The circuit breaker and the retries, against a dependency that does as it is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from proving_ground.ledger.breaker import STATES, Breaker, BreakerMeters, BreakerOpen
from proving_ground.ledger.retry import RetryPolicy, retried
from support.defective import defective

RESET_S = 0.05


class Broken(Exception):
    """What the dependency says."""


class Dependency:
    """Fails while it is told to; counts who came."""

    def __init__(self, threshold: int = 3) -> None:
        self.registry = CollectorRegistry()
        self.breaker = Breaker("engine", threshold, RESET_S, BreakerMeters(self.registry))
        self.is_broken = True
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def work(self) -> str:
        self.asked += 1
        await self.gate.wait()
        if self.is_broken:
            raise Broken("no")
        return "yes"

    async def call(self, times: int = 1) -> list[str]:
        answers = []
        for _ in range(times):
            try:
                answers.append(await self.breaker.call(self.work))
            except (Broken, BreakerOpen) as err:
                answers.append(type(err).__name__)
        return answers

    def shown(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"dependency": "engine", **labels})

    def places(self) -> list[float | None]:
        name = "ledger_breaker_transition_place"
        return [self.shown(name, to=state) for state in ("opened", "half-opened", "closed")]


def run(play: Callable[[Dependency], Awaitable[None]], threshold: int = 3) -> Dependency:
    async def scene() -> Dependency:
        dependency = Dependency(threshold)
        await play(dependency)
        return dependency

    return asyncio.run(scene())


async def open_up(it: Dependency, threshold: int = 3) -> None:
    assert await it.call(threshold) == ["Broken"] * threshold


def test_it_opens_at_exactly_the_number_of_failures() -> None:
    """One fewer and it hides a blip; one more and everybody waits."""

    async def play(it: Dependency) -> None:
        assert await it.call(2) == ["Broken"] * 2
        assert it.breaker.state == "closed"
        assert await it.call(2) == ["Broken", "BreakerOpen"]

    it = run(play)

    assert (it.breaker.state, it.asked) == ("opened", 3)
    assert it.shown("ledger_breaker_state") == 2
    assert it.shown("ledger_breaker_calls_total", outcome="failed") == 3
    assert it.shown("ledger_breaker_calls_total", outcome="refused") == 1


def test_a_success_between_failures_starts_the_count_again() -> None:
    """Failures in a row, not in a lifetime."""

    async def play(it: Dependency) -> None:
        await it.call(2)
        it.is_broken = False
        await it.call()
        it.is_broken = True
        await it.call(2)

    assert run(play).breaker.state == "closed"


def test_after_the_pause_one_probe_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    """And the log and the metrics tell it in order."""

    async def play(it: Dependency) -> None:
        await open_up(it)
        await asyncio.sleep(RESET_S * 1.5)
        it.is_broken = False
        assert await it.call() == ["yes"]

    with caplog.at_level(logging.WARNING, "ledger"):
        it = run(play)

    assert it.breaker.state == "closed"
    assert it.places() == [1, 2, 3]
    assert [record.detail for record in caplog.records] == [  # type: ignore[attr-defined]
        "engine: closed -> opened",
        "engine: opened -> half-opened",
        "engine: half-opened -> closed",
    ]


def test_a_probe_that_fails_opens_it_again() -> None:
    """For another whole pause."""

    async def play(it: Dependency) -> None:
        await open_up(it)
        await asyncio.sleep(RESET_S * 1.5)
        assert await it.call(2) == ["Broken", "BreakerOpen"]

    it = run(play)

    assert (it.breaker.state, it.asked) == ("opened", 4)
    assert it.places() == [3, 2, 0]


async def rush(it: Dependency) -> None:
    """Ten at once when the pause is over."""
    await open_up(it)
    await asyncio.sleep(RESET_S * 1.5)
    it.is_broken, it.asked = False, 0
    it.gate.clear()
    calls = [asyncio.create_task(it.call()) for _ in range(10)]
    await asyncio.sleep(0.01)
    it.gate.set()
    await asyncio.gather(*calls)


def test_while_half_open_one_comes_through() -> None:
    """A dependency that has just come back is not trampled down."""
    assert run(rush).asked == 1


def test_a_cancelled_probe_does_not_stay_half_open_for_ever() -> None:
    """A client that goes away must not take the dependency with it."""

    async def play(it: Dependency) -> None:
        await open_up(it)
        await asyncio.sleep(RESET_S * 1.5)
        it.gate.clear()
        probe = asyncio.create_task(it.call())
        await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert it.breaker.state == "opened"
        it.gate.set()
        it.is_broken = False
        await asyncio.sleep(RESET_S * 1.5)
        assert await it.call() == ["yes"]

    assert run(play).breaker.state == "closed"


def test_the_refusal_says_when_to_come_back() -> None:
    """In whole seconds, never 0: Retry-After knows no fractions."""

    async def play(it: Dependency) -> None:
        await open_up(it)
        with pytest.raises(BreakerOpen) as refused:
            await it.breaker.call(it.work)
        assert refused.value.retry_after_s == 1

    run(play)


@pytest.mark.parametrize(
    ("defect", "asked", "state"),
    [
        ("breaker-never-opens", 6, "closed"),
        ("breaker-never-closes", 3, "opened"),
        ("breaker-silent", 4, "closed"),
    ],
)
def test_each_defect_breaks_what_it_says(defect: str, asked: int, state: str) -> None:
    """A defect that changed nothing would make a drill look blind."""

    async def play(it: Dependency) -> None:
        await it.call(4)
        await asyncio.sleep(RESET_S * 1.5)
        await it.call()
        it.is_broken = False
        await asyncio.sleep(RESET_S * 1.5)
        await it.call()

    async def quiet(it: Dependency) -> None:
        await open_up(it)
        it.is_broken = False
        await asyncio.sleep(RESET_S * 1.5)
        await it.call()

    with defective(defect):
        it = run(quiet if defect == "breaker-silent" else play)

    assert it.asked == asked
    assert it.breaker.state == state
    if defect == "breaker-silent":
        assert it.places() == [0, 0, 0]
        assert it.shown("ledger_breaker_state") == STATES.index("closed")


def test_the_flood_defect_floods() -> None:
    """The same for half-open."""
    with defective("half-open-floods"):
        assert run(rush).asked == 10


def test_attempts_are_bounded_and_their_pauses_grow_within_their_bounds() -> None:
    """A retry that never ends multiplies the outage."""
    policy = RetryPolicy(attempts=4, first_s=0.001, factor=2.0, longest_s=0.003)
    told: list[tuple[int, float]] = []
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        raise Broken("no")

    for _ in range(20):
        with pytest.raises(Broken):
            asyncio.run(retried(work, policy, Broken, lambda n, s, _: told.append((n, s))))

    assert attempts == 80
    assert [n for n, _ in told] == [1, 2, 3] * 20
    for failures, pause_s in told:
        assert policy.bound_s(failures) / 2 <= pause_s <= policy.bound_s(failures)
    assert [policy.bound_s(n) for n in (1, 2, 3)] == [0.001, 0.002, 0.003]
    assert len({pause_s for _, pause_s in told}) > 30  # jitter: no two clients march in step


def test_what_no_retry_can_mend_is_not_tried_again() -> None:
    """An open breaker is asked once."""
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        raise BreakerOpen("engine", 1)

    with pytest.raises(BreakerOpen):
        asyncio.run(retried(work, RetryPolicy(), Broken, lambda *_: None))
    assert attempts == 1
