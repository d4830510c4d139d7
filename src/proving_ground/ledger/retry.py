"""Trying again: a bounded number of times, later each time, never all at the same instant."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from proving_ground.ledger import defects

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long after; pauses lie between half and the whole of ``bound_s``."""

    attempts: int = 3
    first_s: float = 0.05
    factor: float = 2.0
    longest_s: float = 1.0

    def bound_s(self, failures: int) -> float:
        """Longest pause after so many failures."""
        return float(min(self.longest_s, self.first_s * self.factor ** (failures - 1)))


async def retried(
    work: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    worth: type[Exception],
    told: Callable[[int, float, Exception], None],
) -> T:
    """Result of the first attempt that does not fail with ``worth``, or the last failure.

    Args:
        work: one attempt.
        policy: how often, how long after.
        worth: failures after which another attempt makes sense; any other ends it at once.
        told: number of failures so far, the pause that follows, the newest failure.
    """
    for failures in range(1, policy.attempts):
        try:
            return await work()
        except worth as err:
            # Jitter: clients that failed together must not come back together.
            jitter = 1.0 if defects.on("retries-in-step") else random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            pause_s = jitter * policy.bound_s(failures)
            if defects.on("retries-too-soon"):
                pause_s /= 10
            told(failures, pause_s, err)
            await asyncio.sleep(pause_s)
    return await work()
