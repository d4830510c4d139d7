"""When a load's requests are due: known to the nanosecond before the first is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

ProfileName = Literal["smoke", "basic", "stress", "spike", "soak"]

_S = 10**9
SOAK_NS = 4 * 3600 * _S
SOAK_RATE = 50.0  # a second; what two cores carry for hours beside the system itself


class Stage(NamedTuple):
    """A stretch of time in which the rate goes evenly from one value to another."""

    length_ns: int
    rate0: float  # requests a second at its start
    rate1: float  # and at its end

    @property
    def arrivals(self) -> float:
        """Area under the rate."""
        return (self.rate0 + self.rate1) / 2 * self.length_ns / 1e9


PROFILES: dict[ProfileName, tuple[Stage, ...]] = {
    "smoke": (Stage(60 * _S, 5, 5),),
    "basic": (Stage(60 * _S, 5, 100), Stage(60 * _S, 100, 100)),
    "stress": tuple(Stage(60 * _S, rate, rate) for rate in (200, 300, 400, 500)),
    "spike": (Stage(30 * _S, 50, 50), Stage(30 * _S, 500, 500), Stage(60 * _S, 50, 50)),
    "soak": (Stage(SOAK_NS, SOAK_RATE, SOAK_RATE),),
}


def offsets_ns(stages: Sequence[Stage]) -> Iterator[int]:
    """Due times of all requests, from the start of the first stage.

    Request k is due when the area under the rate reaches k, so the rate is kept exactly and the
    spacing within a stage is even: an open load neither waits for answers nor bunches.
    """
    number, area, begins_ns = 0, 0.0, 0
    for length_ns, rate0, rate1 in stages:
        length_s = length_ns / 1e9
        ends = area + (rate0 + rate1) / 2 * length_s
        slope = (rate1 - rate0) / length_s if length_s else 0.0
        while number < ends:
            left = max(0.0, number - area)
            # The stable form of the root; for a constant rate it is left / rate.
            root = math.sqrt(max(0.0, rate0 * rate0 + 2 * slope * left))
            yield begins_ns + min(length_ns, round(2 * left / (rate0 + root) * 1e9))
            number += 1
        area, begins_ns = ends, begins_ns + length_ns


def arrivals(stages: Sequence[Stage]) -> int:
    """How many requests a profile makes."""
    return math.ceil(sum(stage.arrivals for stage in stages))


def length_ns(stages: Sequence[Stage]) -> int:
    """How long it lasts."""
    return sum(stage.length_ns for stage in stages)


def peak(stages: Sequence[Stage]) -> float:
    """Its highest rate, a second."""
    return max((max(stage.rate0, stage.rate1) for stage in stages), default=0.0)


def mix(shares: Mapping[str, int]) -> Iterator[str]:
    """Scenarios by weight, as evenly spread as can be: the same order in every process."""
    credit = dict.fromkeys(shares, 0)
    total = sum(shares.values())
    while True:
        for name, weight in shares.items():
            credit[name] += weight
        chosen = max(credit, key=lambda name: credit[name])
        credit[chosen] -= total
        yield chosen
