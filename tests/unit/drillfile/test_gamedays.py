"""Game-day files: every mistake at its place, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fireproof.drillfile import read_gameday
from fireproof.errors import DrillFileError
from fireproof.model.gameday import GameDay, Window
from fireproof.model.params import Profile
from unit.drillfile.examples import VOCABULARY

DRILL = """\
drill: NAME
title: A drill
owner: platform-team
kind: component
cadence: P7D
components: [COMPONENTS]
hypothesis: It answers.
params: {hold: {smoke: 1s, full: 1m}, limit: 5}
objectives: {answers: {checks: [it answers]}}
baseline: {for: "{param.hold}"}
verify: [{process: ["true"], title: "at most {param.limit}"}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, components in (("one", "db"), ("two", "api, db"), ("three", "cache")):
        text = DRILL.replace("NAME", name).replace("COMPONENTS", components)
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "gamedays").mkdir()
    return tmp_path


def _write(folder: Path, text: str) -> Path:
    path = folder / "gamedays" / "day.yaml"
    path.write_text(f"gameday: day\ntitle: A day\n{text}")
    return path


def _problems(
    path: Path, profile: Profile | None = None, values: Mapping[str, str] | None = None
) -> list[str]:
    with pytest.raises(DrillFileError) as caught:
        read_gameday(path, VOCABULARY, profile, values)
    folder = path.parent.parent
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_old_form_still_runs_drills_in_order(folder: Path) -> None:
    """A list of names is all that most game days need."""
    day = read_gameday(_write(folder, "drills: [one, two, one]\n"), VOCABULARY)

    assert [(m.name, m.group, m.asked.profile) for m in day.members] == [
        ("one", 0, "full"),
        ("two", 1, "full"),
        ("one-2", 2, "full"),
    ]


def test_params_and_profiles_go_from_the_day_to_its_drills(folder: Path) -> None:
    """The prompt wins over the entry, the entry over the day, the day over the drill."""
    text = """\
profile: smoke
drills:
  - one
  - parallel:
      - {drill: two, params: {limit: 7}, profile: full}
      - three
"""
    day = read_gameday(_write(folder, text), VOCABULARY, None, {"two.limit": "8", "one.hold": "3s"})

    asked = {m.name: (m.group, m.asked.profile, dict(m.asked.values)) for m in day.members}
    assert asked == {
        "one": (0, "smoke", {"hold": "3s"}),
        "two": (1, "full", {"limit": "8"}),
        "three": (1, "smoke", {}),
    }
    assert [m.loaded.drill.baseline.for_ // 10**9 for m in day.members] == [3, 60, 1]
    overridden = read_gameday(_write(folder, text), VOCABULARY, "full")
    assert {m.asked.profile for m in overridden.members} == {"full"}


def test_two_drills_on_one_component_may_not_run_side_by_side(folder: Path) -> None:
    """Each would measure the other's harm, and call it its own."""
    text = "drills:\n  - parallel: [one, three, {drill: two}]\n"

    assert _problems(_write(folder, text)) == [
        "gamedays/day.yaml:4:28: drills.0.parallel.2: 'two' and 'one' (line 4) both drill 'db' "
        "and would run side by side; put one after the other"
    ]


def test_every_mistake_is_told_at_its_place(folder: Path) -> None:
    """Nobody starts a game day five times to find five typing errors."""
    text = """\
profile: fast
drills:
  - parallel: [one]
  - {dril: one}
  - 5
  - parallel: [Bad One, {parallel: [a, b]}, {drill: x, parms: 5}]
  - paralell: [one, two]
window: {from: "9:00", until: "17:00", timezone: Mars/Olympus, days: [monday]}
stop-the-line: [passed]
roles: {boss: ""}
"""
    problems = _problems(_write(folder, text))

    assert [problem.removeprefix("gamedays/day.yaml:") for problem in problems] == [
        "3:10: profile: expected smoke or full, got 'fast'",
        "5:15: drills.0.parallel: expected at least 2 entries, got 1",
        "6:6: drills.1: unknown key 'dril'; did you mean 'drill'?",
        "7:5: drills.2: expected text or a mapping, got 5; put it in quotes",
        "8:16: drills.3.parallel.0: expected lower-case words joined by hyphens, such as ledger-db "
        "or a mapping, got 'Bad One'; did you mean 'bad-one'?",
        "8:26: drills.3.parallel.1: a group cannot stand in a group; a group goes on when all of "
        "it has ended",
        "8:56: drills.3.parallel.2: unknown key 'parms'; did you mean 'params'?",
        "9:5: drills.4: unknown key 'paralell'; did you mean 'parallel'?",
        "10:16: window.from: expected a time of day such as 09:30, got '9:00'",
        "10:50: window.timezone: expected a time zone such as UTC or Europe/Berlin, "
        "got 'Mars/Olympus'",
        "10:71: window.days.0: expected mon, tue, wed, thu, fri, sat or sun, got 'monday'; "
        "did you mean 'mon'?",
        "11:17: stop-the-line.0: expected failed, inconclusive or aborted, got 'passed'",
        "12:9: roles.boss: expected some text, got ''",
    ]


def test_a_params_mistake_is_told_where_it_was_made(folder: Path) -> None:
    """The drill file is right; it is the game day's line that is not."""
    text = """\
drills:
  - {drill: one, params: {hold: soon, limt: 3}}
  - four
"""
    problems = _problems(_write(folder, text), None, {"six.x": "1", "one": "2"})

    named = "expected DRILL.NAME with a drill of this game day; known here: four, one"
    assert [problem.removeprefix("gamedays/day.yaml:") for problem in problems] == [
        f"4:3: drills: --param 'six.x': {named}",
        f"4:3: drills: --param 'one': {named}",
        "4:33: drills.0.params.hold: drill 'one' does not take it: expected a duration such as "
        "90s, 15m or 4h, got 'soon' ({param.hold} is 'soon', from --param, line 8)",
        "4:45: drills.0.params.limt: drill 'one' does not take it: --param 'limt': the drill has "
        "no such param; did you mean 'limit'?",
        "5:5: drills.1: there is no four.yaml",
    ]


def test_a_drill_with_mistakes_of_its_own_names_its_own_file(folder: Path) -> None:
    """The cure is there."""
    (folder / "one.yaml").write_text(DRILL.replace("NAME", "one").replace("COMPONENTS", "Bad"))

    assert [p.partition(" ")[0] for p in _problems(_write(folder, "drills: [one]\n"))] == [
        "one.yaml:6:14:"
    ]


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        (
            {"from": "09:00", "until": "17:00", "days": ["mon", "fri"]},
            ["2026-03-02T09:00", "2026-03-06T16:59"],
            ["2026-03-02T08:59", "2026-03-02T17:00", "2026-03-03T12:00"],
        ),
        (
            {"from": "22:00", "until": "04:00", "days": ["fri"]},
            ["2026-03-06T22:00", "2026-03-07T03:59"],
            ["2026-03-06T03:00", "2026-03-07T22:00", "2026-03-07T04:00"],
        ),
        (
            {"from": "09:00", "until": "10:00", "timezone": "Europe/Berlin"},
            ["2026-03-02T08:30", "2026-07-01T07:30"],
            ["2026-03-02T09:30", "2026-07-01T08:30"],
        ),
    ],
)
def test_a_window_holds_at_its_edges(
    window: dict[str, object], inside: list[str], outside: list[str]
) -> None:
    """An hour too early is working hours."""
    found = Window.model_validate(window)

    assert all(found.holds(datetime.fromisoformat(at).replace(tzinfo=UTC)) for at in inside)
    assert not any(found.holds(datetime.fromisoformat(at).replace(tzinfo=UTC)) for at in outside)


def test_a_game_day_survives_its_plan() -> None:
    """What is signed is what was read."""
    body = {
        "gameday": "day",
        "title": "A day",
        "drills": ["one", {"parallel": ["two", {"drill": "three", "params": {"a": 1.5}}]}],
        "window": {"from": "22:00", "until": "04:00"},
        "stop-the-line": ["failed"],
    }
    day = GameDay.model_validate(body)

    again = GameDay.model_validate_json(day.model_dump_json(by_alias=True))
    assert again == day
