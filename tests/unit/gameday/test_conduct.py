"""Between the groups of a game day: a place that cannot be made ready is no place to drill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fireproof.cli.gameday.conduct import Conductor
from fireproof.cli.gameday.record import GameDayRecord
from fireproof.model.gameday import GameDay, GameDayPlan, Member, Place


class Notes:
    """What a game day's record is told, kept in memory."""

    def __init__(self, plan: GameDayPlan) -> None:
        self.plan = plan
        self.told: list[tuple[str, dict[str, Any]]] = []

    def note(self, kind: str, /, **data: Any) -> None:
        self.told.append((kind, data))


class Calm:
    signum: int | None = None
    child: Any = None


def plan() -> GameDayPlan:
    members = tuple(
        Member(name=name, drill=name, run="", group=group, profile="smoke", components=("db",))
        for group, name in enumerate(("restore", "replay"))
    )
    return GameDayPlan(
        run="r",
        created_at="",
        gameday=GameDay(gameday="day", title="Day", drills=("restore", "replay"), lab="each"),
        gameday_file="day.yaml",
        environment=Place.model_validate(
            {"environment": "lab", "class": "embedded", "identity": ""}
        ),
        members=members,
        procedures={},
        tool={},
    )


def test_a_drill_whose_lab_cannot_be_renewed_is_recorded_as_not_run() -> None:
    """It would be drilled on what the drill before it left, or silently left out."""
    notes = Notes(plan())

    def prepare(group: Sequence[Member]) -> str:
        return f"no fresh lab for {group[0].name}"

    Conductor(cast(GameDayRecord, notes), lambda member: 1 / 0, Calm(), prepare).conduct()  # type: ignore[arg-type,return-value]

    assert notes.told == [
        ("drill-not-run", {"member": name, "why": f"no fresh lab for {name}"})
        for name in ("restore", "replay")
    ]
