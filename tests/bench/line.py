"""What a benchmark comes to, and how a benchmark is made known."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of the table.

    ``found`` is compared with ``budget`` in ``unit`` ("x": ours over the peer's). A line without
    a budget only reports.
    """

    what: str
    ours: str
    peer: str
    found: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.budget is None:
            return None
        return self.found >= self.budget if self.at_least else self.found <= self.budget

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        sign = "≥" if self.at_least else "≤"
        budget = "" if self.budget is None else f"{sign} {_number(self.budget, self.unit)}"
        word = {True: "met", False: "**missed**", None: ""}[self.met]
        found = _number(self.found, self.unit)
        return self.what, self.ours, self.peer, found, budget, word


HEAD = ("what", "ours", "peer", "result", "budget", "")
Family = Callable[[], Sequence[Line]]
_families: dict[str, Family] = {}


def row(name: str) -> Callable[[Family], Family]:
    """Make a benchmark known by the name that ``make bench B=name`` takes."""

    def known(family: Family) -> Family:
        if name in _families:
            raise ValueError(f"two benchmarks are called {name!r}")
        _families[name] = family
        return family

    return known


def families() -> dict[str, Family]:
    """Every benchmark in ``bench.rows``."""
    import bench.rows

    for module in pkgutil.iter_modules(bench.rows.__path__, "bench.rows."):
        importlib.import_module(module.name)
    return dict(_families)


def _number(value: float, unit: str) -> str:
    if math.isinf(value):
        return "never"
    text = f"{value:.0f}" if value == int(value) and unit != "x" else f"{value:.3g}"
    return f"{text}x" if unit == "x" else f"{text} {unit}".strip()
