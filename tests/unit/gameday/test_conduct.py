"""Between the groups of a game day: a place that cannot be made ready is no place to drill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from fireproof.cli.gameday.conduct import Conductor, settings_of
from fireproof.cli.gameday.record import GameDayRecord
from fireproof.cli.settings import RunSettings
from fireproof.drillfile import LoadedMember
from fireproof.drillfile.marks import Loaded
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


def test_workers_are_for_drills_that_have_a_load() -> None:
    """Another drill refuses them, and the day would end there."""
    day = plan()
    loads = {"restore": {}, "replay": {"traffic": "some"}}
    members = [
        LoadedMember(name, Path(name), 0, cast(Any, None), cast(Loaded, Drilled(load)))
        for name, load in loads.items()
    ]

    made = settings_of(members, RunSettings(Path("day.yaml"), workers=2))

    assert [made(member).workers for member in day.members] == [None, 2]


class Drilled:
    """A loaded drill, as far as its load is concerned."""

    def __init__(self, load: dict[str, str]) -> None:
        self.drill, self.load = self, load
