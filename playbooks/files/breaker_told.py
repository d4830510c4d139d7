"""What a ledger tells of its breaker in two places, the log and the metrics, side by side."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks

_PLACE = "transition_place "


def judge_told(
    lines: list[str], dependency: str, before: float, metrics: dict[str, float], checks: Checks
) -> None:
    """As many transitions here as there, each from where the one before led, in the same order.

    Args:
        lines: of the ledger's log, since ``before``.
        dependency: whose breaker it is.
        before: transitions that the metrics had counted by then.
        metrics: by name and state, as ``transitions_total opened``.
        checks: where both comparisons go.
    """
    logged = _transitions(lines, dependency)
    counted = sum(value for name, value in metrics.items() if name.startswith("transitions_total "))
    fresh = counted - before
    nothing = not fresh and not logged  # a breaker that never moved told nothing, right or wrong
    checks.add(
        "transitions-in-log",
        None if nothing else len(logged) == fresh,
        f"{fresh:.0f} transitions, as the metrics say",
        f"{len(logged)} lines",
    )
    chained = all(one[1] == other[0] for one, other in itertools.pairwise(logged))
    # The metrics keep the place of the newest transition into each state.
    newest = {to: before + place for place, (_, to) in enumerate(logged, 1)}
    states = {name.split()[1]: at for name, at in metrics.items() if name.startswith(_PLACE)}
    places = {state: at for state, at in states.items() if at > before}
    checks.add(
        "transitions-in-order",
        None if nothing else bool(logged) and chained and places == newest,
        f"{_told(places)}, as the metrics say",
        _told(newest) + ("" if chained else "; with a gap"),
    )


def _told(places: dict[str, float]) -> str:
    """The newest transition into each state, by its place among all."""
    ordered = sorted(places.items(), key=lambda one: one[1])
    return ", ".join(f"{state} as number {at:.0f}" for state, at in ordered) or "no transition"


def _transitions(lines: list[str], dependency: str) -> list[tuple[str, str]]:
    """(from, to) of each line of that breaker."""
    found = []
    for line in lines:
        if '"message": "breaker"' not in line:
            continue
        name, _, states = json.loads(line)["detail"].partition(": ")
        if name == dependency:
            was, _, now = states.partition(" -> ")
            found.append((was, now))
    return found
