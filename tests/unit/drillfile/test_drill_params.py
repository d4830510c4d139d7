"""``{param.name}``: the value of this run, in the plan with where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.cli.params import parse_params
from fireproof.cli.settings import RunSettings, parse_run
from fireproof.drillfile import parse_drill, read_drill
from fireproof.errors import DrillFileError, UsageError
from fireproof.model.drill import Drill, RecoveryTime
from fireproof.model.params import Asked
from unit.drillfile.examples import DRILL, VOCABULARY

WITH_PARAMS = (
    DRILL.replace("for: 10s", 'for: "{param.hold}"')
    .replace("status: 200", 'status: "{param.status}"')
    .replace("rto: 2m", 'rto: "{param.limit}"')
    .replace("every: 20ms", 'every: "{param.ms}ms"')
    + "params: {hold: {smoke: 1s, full: 1m}, status: 201, limit: 3m, ms: 30}\n"
)


def _drill(asked: Asked) -> Drill:
    return parse_drill(WITH_PARAMS, "x.yaml", VOCABULARY, asked)


def _problems(asked: Asked, text: str = WITH_PARAMS) -> list[str]:
    with pytest.raises(DrillFileError) as caught:
        parse_drill(text, "x.yaml", VOCABULARY, asked)
    return [str(problem) for problem in caught.value.problems]


def _limit(drill: Drill) -> int:
    objective = drill.objectives["recovery-time"]
    assert isinstance(objective, RecoveryTime)
    return objective.rto


def test_a_profile_and_a_call_change_what_their_params_say() -> None:
    """A soak of four hours that ran for two minutes must say so, and one that was asked for two
    minutes must not take four hours.
    """
    full = _drill(Asked())
    smoke = _drill(Asked("smoke", {"limit": "90s", "ms": "40", "status": "404"}))

    assert (full.baseline.for_, smoke.baseline.for_) == (60 * 10**9, 10**9)
    assert (_limit(full), _limit(smoke)) == (180 * 10**9, 90 * 10**9)
    probes = [drill.probes["api"].model_dump(mode="json") for drill in (full, smoke)]
    assert [probe["every"] for probe in probes] == ["30ms", "40ms"]
    assert [probe["good"]["status"] for probe in probes] == [201, 404]


def test_the_values_in_force_say_where_they_came_from(tmp_path: Path) -> None:
    """An auditor sees which limits were the author's and which the caller's."""
    file = tmp_path / "backup-restore.yaml"
    file.write_text(WITH_PARAMS)
    loaded = read_drill(file, VOCABULARY, Asked("smoke", {"limit": "90s"}))

    said = {name: (value.value, value.from_) for name, value in loaded.params.items()}
    assert said == {
        "hold": ("1s", "profile smoke"),
        "limit": ("90s", "--param"),
        "ms": ("30", "default"),
        "status": ("201", "default"),
    }


def test_a_bad_value_is_told_at_its_use_and_by_its_name() -> None:
    """`--param limit=fast` must not be reported as a fault of a line that says {param.limit}."""
    problems = _problems(Asked("full", {"limit": "fast", "status": "2OO", "limt": "9s"}))

    assert problems == [
        "x.yaml:10:83: probes.api.good.status: expected a whole number, got '2OO' "
        "({param.status} is '2OO', from --param, line 38)",
        "x.yaml:18:24: objectives.recovery-time.rto: expected a duration such as 90s, 15m or 4h, "
        "got 'fast' ({param.limit} is 'fast', from --param, line 38)",
        "x.yaml:38:1: params: --param 'limt': the drill has no such param; did you mean 'limit'?",
    ]


def test_a_param_for_a_drill_without_any_is_refused() -> None:
    """Silently ignored, the caller would believe in a duration that never was."""
    assert _problems(Asked("full", {"hold": "5s"}), DRILL) == [
        "x.yaml:1:1: params: --param 'hold': the drill has no such param"
    ]


def test_text_stays_text_and_a_number_stays_a_number() -> None:
    """`--param tenant=15` for a text would otherwise become a number, and be refused."""
    text = DRILL.replace('"15:00"', '"{param.zone}"') + 'params: {zone: "5"}\n'

    drill = parse_drill(text, "x.yaml", VOCABULARY, Asked("full", {"zone": "15"}))

    assert drill.recover[0].params["variables"] == {"target": "15"}


def test_a_drill_without_the_new_fields_has_the_plan_it_always_had() -> None:
    """Bytes that are signed may not change for drills that do not ask for it."""
    body = parse_drill(DRILL, "x.yaml", VOCABULARY).model_dump(mode="json", by_alias=True)

    assert not {"params", "runbook", "roles", "schedule"} & set(body)
    assert all("covers" not in objective for objective in body["objectives"].values())


def test_words_on_the_command_line_are_pairs() -> None:
    """The last of two would win in silence."""
    assert parse_params(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(UsageError) as caught:
        parse_params(["a=1", "a=2", "b", "=c", "d=\n"])
    assert str(caught.value).splitlines() == [
        "--param: 'a' is given twice",
        "--param: expected NAME=VALUE, got 'b'",
        "--param: expected NAME=VALUE, got '=c'",
        "--param: expected NAME=VALUE, got 'd=\\n'",
    ]


def test_a_child_is_asked_for_the_same() -> None:
    """A game day's drill would otherwise run in another profile than the game day says."""
    given = parse_run(["x.yaml", "--profile", "smoke", "--param", "a=1", "--param", "b=2"])
    assert given is not None

    assert given.params == ("a=1", "b=2")
    again = parse_run(given.to_argv()[1:])
    assert again == RunSettings(Path.cwd() / "x.yaml", profile="smoke", params=("a=1", "b=2"))
    assert parse_run(["x.yaml", "--profile", "tiny"]) is None
