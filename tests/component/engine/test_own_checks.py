"""What the runner checks of itself: conditions to abort were watched, and nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component


def asking(scenario: Scenario) -> dict[str, Any]:
    drill = scenario.drill()
    drill["objectives"]["ends-well"] = {"checks": ["abort-conditions", "residue"]}
    drill["abort"] = [{"when": "api.errors > 1000"}]
    return drill


def found(ran: Ran) -> dict[str, Any]:
    assert ran.result is not None, ran.stderr
    return {check["name"]: check for check in ran.result["judgement"]["checks"]}


def test_a_run_that_aborts_says_which_condition_held_and_what_is_left(scenario: Scenario) -> None:
    """An abort and its clean-up are promises of the runner, and shown like any other."""
    drill = asking(scenario)
    drill["abort"] = [{"when": "api.errors > 3"}]
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "40s"}]

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    watched, residue = found(ran)["abort-conditions"], found(ran)["residue"]
    assert (watched["verdict"], residue["verdict"]) == ("met", "met")
    assert watched["observed"].startswith("api.errors > 3: ")
    assert watched["observed"].endswith(" errors; held, and ended the run")
    nothing = "nothing left of kill tiny, processes and private folders of the run"
    assert (residue["expected"], residue["observed"]) == (nothing, nothing)
    assert scenario.answers()
    assert scenario.verify(ran.bundle) == 0


@pytest.mark.full
def test_what_is_left_turns_the_check_red(scenario: Scenario) -> None:
    """The known-bad way: an undo that does not bring the service back."""
    (scenario.service / "refuse-start").touch()

    ran = scenario.run(asking(scenario))

    residue = found(ran)["residue"]
    assert (ran.code, residue["verdict"]) == (4, "missed"), ran.stderr
    assert residue["observed"].startswith("left: kill tiny: ")


@pytest.mark.full
def test_nobody_is_asked_where_no_objective_names_them(scenario: Scenario) -> None:
    """Older drills keep the checks that they have."""
    ran = scenario.run(scenario.drill())

    assert ran.code == 0, ran.stderr
    assert set(found(ran)) & {"abort-conditions", "residue"} == set()
