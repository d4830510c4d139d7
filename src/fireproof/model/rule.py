"""An alerting rule in the part of Prometheus' language that a threshold needs."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Series = tuple[str, Mapping[str, str], float]
"""Name, labels and value of one sample."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_SELECTOR = r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^{}]*\})?"
_COMPARED = re.compile(rf"\s*{_SELECTOR}\s*(>=|<=|==|!=|>|<)\s*({_NUMBER})\s*")
_ABSENT = re.compile(rf"\s*absent\(\s*{_SELECTOR}\s*\)\s*")
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=|!=)\s*"([^"\\]*)"\s*')


@dataclass(frozen=True, slots=True)
class Expression:
    """``metric{label="value"} > 5`` or ``absent(metric)``."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    compare: Callable[[float, float], bool] | None  # None: true when no series is there
    limit: float

    def holds(self, series: Sequence[Series]) -> bool:
        """Whether any series fits and compares; for ``absent``, whether none fits."""
        fitting = [
            value
            for name, labels, value in series
            if name == self.metric
            and all(
                (labels.get(label, "") == wanted) is (how == "=")
                for label, how, wanted in self.matchers
            )
        ]
        if self.compare is None:
            return not fitting
        return any(self.compare(value, self.limit) for value in fitting)


def parse_expression(text: str) -> Expression:
    """The expression of a rule.

    Raises:
        ValueError: it is none of the forms known here.
    """
    if found := _COMPARED.fullmatch(text):
        metric, labels, how, limit = found.groups()
        return Expression(metric, _matchers(labels), _OPERATORS[how], float(limit))
    if found := _ABSENT.fullmatch(text):
        return Expression(found[1], _matchers(found[2]), None, 0.0)
    raise ValueError(f'expected metric{{label="value"}} > number, or absent(metric), got {text!r}')


def _matchers(text: str | None) -> tuple[tuple[str, str, str], ...]:
    inner = (text or "{}")[1:-1].strip().removesuffix(",")
    if not inner:
        return ()
    found = [_MATCHER.fullmatch(part) for part in inner.split(",")]
    if not all(found):
        raise ValueError(f'expected {{label="value", other!="value"}}, got {text!r}')
    return tuple((one[1], one[2], one[3]) for one in found if one)


class Watched:
    """One rule's state over time: inactive, pending for as long as it must hold, firing."""

    def __init__(self, name: str, expression: Expression, for_ns: int) -> None:
        self.name = name
        self._expression, self._for_ns = expression, for_ns
        self._since_ns: int | None = None
        self.firing = False

    def evaluate(self, series: Sequence[Series], now_ns: int) -> bool | None:
        """True when it begins to fire, False when it ends, None when nothing changed."""
        if not self._expression.holds(series):
            self._since_ns = None
            ended, self.firing = self.firing, False
            return False if ended else None
        if self._since_ns is None:
            self._since_ns = now_ns
        if not self.firing and now_ns - self._since_ns >= self._for_ns:
            self.firing = True
            return True
        return None
