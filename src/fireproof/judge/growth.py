"""Growth of what a component holds: a robust slope with its interval, against a limit an hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from fireproof.errors import MalformedError
from fireproof.judge.requests import window_ns
from fireproof.judge.samples import lines, number
from fireproof.judge.story import CannotTell, Story
from fireproof.judge.words import limit_text
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.judgement import Measure, ObjectiveResult
from fireproof.model.load import Growth
from fireproof.model.quantity import parse_size
from fireproof.model.sample import RESOURCES_HEADER
from fireproof.model.verdict import Verdict

NEEDS = "a slope needs scipy; to compute it: pip install 'fireproof[samples]'"
FEWEST = 30  # looks; with fewer the interval of a slope means little
_MOST_POINTS = 400  # medians of neighbours: the slope is over all pairs, and its interval supposes
# that neighbours say something new, which memory a second apart does not
_COLUMNS = {"rss": 1, "handles": 2, "threads": 3, "connections": 4}
_ALPHA = 0.95
_MIB = 2**20


def parse_resources(data: bytes) -> list[tuple[int, tuple[int, ...] | None]]:
    """(instant, counts) of each look, counts None when nobody was there; unsent slots left out.

    Raises:
        MalformedError: at the first row that has another shape.
    """
    found: list[tuple[int, tuple[int, ...] | None]] = []
    for row, line in enumerate(lines(data, RESOURCES_HEADER, "resources"), start=2):
        where = f"resources, line {row}"
        fields = line.split(",")
        if len(fields) != 8:
            raise MalformedError(f"{where}: expected 8 fields, got {len(fields)}")
        due = number(fields[0], where)
        if not any(fields[1:]):
            continue
        done = number(fields[2], where)
        if not due <= number(fields[1], where) <= done:
            raise MalformedError(f"{where}: times out of order")
        there = number(fields[3], where) > 0
        counts = tuple(number(field, where) for field in fields[3:]) if there else None
        if not there and any(fields[4:]):
            raise MalformedError(f"{where}: counts of processes that were not there")
        found.append((done, counts))
    return found


def judge_growth(name: str, objective: Growth, story: Story) -> ObjectiveResult:
    """Met only if the upper bound of the slope is within the limit.

    Raises:
        CannotTell: when there are too few looks, or nothing to compute with.
        MalformedError: when the samples are not what they claim to be.
    """
    source = story.source(objective.from_)
    looks = parse_resources(source.data)
    lo, hi = window_ns(objective.during, story)
    lo = max(lo, looks[0][0] if looks else 0) + objective.after
    column = _COLUMNS[objective.growth]
    inside = [(at, one) for at, one in looks if at >= lo and (hi is None or at < hi)]
    size = _MIB if objective.growth == "rss" else 1
    points = [(at / 3.6e12, one[column] / size) for at, one in inside if one is not None]
    if len(points) < FEWEST:
        raise CannotTell(f"{len(points)} looks at {objective.from_}; at least {FEWEST} are needed")
    slope, interval = slope_per_hour(points)
    unit, limit = _unit(objective)
    verdict = judge_at_most(interval, limit)
    said = f"{objective.growth} grows by {_shown(slope, unit)} an hour"
    said += f" ({_shown(interval.lo, unit)} to {_shown(interval.hi, unit)} with 95 % confidence)"
    reason = f"{said}, limit {objective.limit}"
    length_s = (inside[-1][0] - inside[0][0]) / 1e9
    wanted = objective.at_least
    if verdict is Verdict.MET and wanted is not None and length_s * 1e9 + source.period_ns < wanted:
        verdict = Verdict.INCONCLUSIVE
        reason = f"watched for {length_s:.0f} s of at least {limit_text(wanted)}; {said}"
    if verdict is not Verdict.MET and interval.lo <= limit < interval.hi:
        reason += "; the limit lies inside, so this cannot be told"
    away = len(inside) - len(points)
    measured = [
        Measure(f"{objective.growth}-per-hour", f"{unit}/h", interval),
        Measure("looks", "looks", Interval(len(points), len(points))),
        Measure("length", "s", Interval(length_s, length_s)),
    ]
    if away:
        reason += f"; {away} looks found no process"
        measured.append(Measure("away", "looks", Interval(away, away)))
    return ObjectiveResult(
        name, "growth", verdict, objective.limit, tuple(measured), reason, objective.controls
    )


def slope_per_hour(points: Sequence[tuple[float, float]]) -> tuple[float, Interval]:
    """Theil and Sen's slope and its 95 % interval, over medians of neighbours.

    Raises:
        CannotTell: when scipy is not there.
    """
    try:
        from scipy import stats
    except ImportError:
        raise CannotTell(NEEDS) from None
    width = math.ceil(len(points) / _MOST_POINTS)
    groups = [points[i : i + width] for i in range(0, len(points), width)]
    hours = [median(at for at, _ in group) for group in groups]
    values = [median(value for _, value in group) for group in groups]
    found = stats.theilslopes(values, hours, alpha=_ALPHA)
    lo, hi = float(found.low_slope), float(found.high_slope)
    if math.isnan(lo) or math.isnan(hi):
        raise CannotTell("the slope has no interval")
    return float(found.slope), Interval(min(lo, hi), max(lo, hi))


def _unit(objective: Growth) -> tuple[str, float]:
    amount = objective.limit.removesuffix("/h").strip()
    if objective.growth == "rss":
        return "MiB", parse_size(amount) / _MIB
    return objective.growth, float(amount)


def _shown(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if unit == "MiB" else f"{value:.3g}"
