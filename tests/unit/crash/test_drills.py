"""Which drills the crash tests kill, and where."""

from __future__ import annotations

from pathlib import Path

from support.drilled import DRILLS
from support.killing import named_kills
from support.moments import SEEN

HERE = Path(__file__).parents[3]


def test_every_shipped_drill_is_killed_and_every_moment_is_known() -> None:
    """A drill that nobody kills may leave anything."""
    named = [kill for one in DRILLS for kill in named_kills(one.name, one.points, "1")]

    assert {one.name for one in DRILLS} == {path.stem for path in (HERE / "drills").glob("*.yaml")}
    assert all(one.at_random >= 2 and one.points for one in DRILLS)
    assert {kill.seen for kill in named} - {""} <= set(SEEN)
