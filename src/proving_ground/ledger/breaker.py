"""The circuit breaker around a dependency: after enough failures nobody waits for it any more."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from proving_ground.ledger import defects

T = TypeVar("T")

STATES = ("closed", "half-opened", "opened")  # their places are the values of the gauge

logger = logging.getLogger("ledger")


class BreakerOpen(Exception):
    """Refused without asking the dependency."""

    def __init__(self, name: str, retry_after_s: int) -> None:
        super().__init__(f"{name} is not asked for now; its circuit breaker is open")
        self.retry_after_s = retry_after_s


class BreakerMeters:
    """What all breakers of a process show."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.state = Gauge(
            "ledger_breaker_state",
            "0 closed, 1 half-opened, 2 opened",
            ["dependency"],
            registry=registry,
        )
        self.transitions = Counter(
            "ledger_breaker_transitions",
            "times that the breaker came into the state",
            ["dependency", "to"],
            registry=registry,
        )
        self.place = Gauge(
            "ledger_breaker_transition_place",
            "which transition of the breaker was the newest into the state; the order of events",
            ["dependency", "to"],
            registry=registry,
        )
        self.calls = Counter(
            "ledger_breaker_calls",
            "good and failed: the dependency was asked; refused: it was not",
            ["dependency", "outcome"],
            registry=registry,
        )


class Breaker:
    """Closed until ``threshold`` failures in a row; then open; after ``reset_s`` one probe decides.

    purgatory keeps the states. It lets every caller in while half-open and tells of that state
    only when the probe is over, so that this class admits one and looks at the state itself.
    """

    def __init__(self, name: str, threshold: int, reset_s: float, meters: BreakerMeters) -> None:
        self.name = name
        self._reset_s = reset_s
        if defects.on("breaker-never-opens"):
            threshold = 10**9
        if defects.on("breaker-never-closes"):
            reset_s = 10**9
        self._factory = AsyncCircuitBreakerFactory(threshold, reset_s)
        self._meters = meters
        self._state = "closed"
        self._transitions = 0
        self._opened_at = 0.0
        meters.state.labels(name).set(0)
        for state in STATES:
            meters.transitions.labels(name, state)
            meters.place.labels(name, state).set(0)
        for outcome in ("good", "failed", "refused"):
            meters.calls.labels(name, outcome)

    @property
    def state(self) -> str:
        """closed, half-opened or opened."""
        return self._state

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` returns; any exception from it is a failure of the dependency.

        Raises:
            BreakerOpen: the dependency was not asked.
        """
        breaker = await self._factory.get_breaker(self.name)
        if breaker.context.state == "half-opened" and not defects.on("half-open-floods"):
            raise self._refusal()
        try:
            await breaker.__aenter__()
        except OpenedState:
            raise self._refusal() from None
        self._look(breaker.context.state)
        try:
            result = await work()
        except BaseException as err:
            self._meters.calls.labels(self.name, "failed").inc()
            await breaker.__aexit__(type(err), err, err.__traceback__)
            self._look(breaker.context.state)
            raise
        self._meters.calls.labels(self.name, "good").inc()
        await breaker.__aexit__(None, None, None)
        self._look(breaker.context.state)
        return result

    def _refusal(self) -> BreakerOpen:
        self._meters.calls.labels(self.name, "refused").inc()
        left_s = self._opened_at + self._reset_s - time.monotonic()
        return BreakerOpen(self.name, max(1, math.ceil(left_s)))

    def _look(self, state: str) -> None:
        """Tell of a transition in the log and the metrics, in that order and once."""
        if state == self._state:
            return
        before, self._state = self._state, state
        self._transitions += 1
        if state == "opened":
            self._opened_at = time.monotonic()
        if defects.on("breaker-silent"):
            return
        if not defects.on("breaker-unlogged"):
            logger.warning("breaker", extra={"detail": f"{self.name}: {before} -> {state}"})
        self._meters.state.labels(self.name).set(STATES.index(state))
        self._meters.transitions.labels(self.name, state).inc()
        place = 1 if defects.on("breaker-order-lost") else self._transitions
        self._meters.place.labels(self.name, state).set(place)
