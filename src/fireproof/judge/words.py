"""Intervals in words, for one-line reasons."""

from __future__ import annotations

import math

from fireproof.model.interval import Interval
from fireproof.model.quantity import format_duration
from fireproof.model.verdict import Verdict

_TO = "\N{EN DASH}"


def seconds(ns: Interval) -> Interval:
    """The same interval, from nanoseconds to seconds."""
    return Interval(ns.lo / 1e9, ns.hi / 1e9)


def span(ns: Interval) -> str:
    """From and to, in s or ms, with as many digits as matter, or ``at least 120 s``."""
    if math.isinf(ns.hi):
        return f"at least {_plain(ns.lo / 1e9)} s"
    if ns.hi < 10**9:
        return f"{ns.lo / 1e6:.0f}{_TO}{ns.hi / 1e6:.0f} ms"
    digits = 1 if ns.hi >= 10**11 else 2 if ns.hi >= 10**10 else 3
    return f"{ns.lo / 1e9:.{digits}f}{_TO}{ns.hi / 1e9:.{digits}f} s"


def limit_text(ns: int) -> str:
    """A limit as people write it."""
    return format_duration(ns)


def compared(verdict: Verdict, limit: str) -> str:
    """How a measured span stands to its limit, as the end of a sentence."""
    if verdict is Verdict.INCONCLUSIVE:
        return f"; the limit {limit} lies inside, so this cannot be told"
    return f", limit {limit}"


def many(count: int, one: str, more: str | None = None) -> str:
    """``1 write``, ``3 writes``."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
