"""Steps, faults and labs of a separate package, from ``check`` to a sealed bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from support.plugin import install, plug
from support.scenario import Scenario

pytestmark = pytest.mark.component


@pytest.fixture
def plugged(scenario: Scenario) -> Scenario:
    """A scenario in whose Python the example is installed."""
    plug(scenario)
    return scenario


def drill_of(scenario: Scenario) -> dict[str, Any]:
    drill = scenario.drill()
    drill["fault"].insert(0, {"hide-note": "tiny"})
    drill["baseline"]["steps"] = [{"read-note": "{tiny.note}", "says": "all is well"}]
    drill["objectives"]["told"] = {"checks": ["note"]}
    return drill


def test_a_drill_with_a_step_and_a_fault_of_a_plugin_passes(plugged: Scenario) -> None:
    """What a team writes for itself is worth as much as what we ship."""
    ran = plugged.run(drill_of(plugged))

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert (plugged.service / "note").read_text() == "all is well\n"
    tool = json.loads((ran.bundle / "plan.json").read_text())["tool"]
    assert tool["plugin:fireproof-example"] == "0.3.0"
    del plugged.environ["PYTHONPATH"]
    assert plugged.verify(ran.bundle) == 0, "an auditor does not install the plug-in"


def test_a_killed_runner_is_undone_through_the_plugin(plugged: Scenario) -> None:
    """The guardian's fresh process finds the fault again by its entry point."""
    drill = drill_of(plugged)
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
    child = plugged.start(drill)
    runner = plugged.wait_for_record("open")["data"]["pid"]
    plugged.wait_for_record("injected")
    assert not (plugged.service / "note").exists()

    os.kill(runner, signal.SIGKILL)
    ran = plugged.wait(child)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert (plugged.service / "note").exists()


def test_the_kinds_of_a_plugin_are_checked_like_ours(plugged: Scenario) -> None:
    """A misspelt key of theirs has its line and column too."""
    drill = drill_of(plugged)
    drill["baseline"]["steps"] = [{"read-note": "x", "sais": "y"}]
    drill["fault"] = [{"hide-notes": "tiny"}]
    words = plugged.write(drill)

    ran = plugged.wait(plugged.call(["check", words[1]]))

    assert ran.code == 2
    assert "baseline.steps.0: unknown key 'sais'; did you mean 'says'?" in ran.stderr
    assert "fault.0: 'hide-notes' is not a known fault; did you mean 'hide-note'?" in ran.stderr
    shown = plugged.wait(plugged.call(["schema"]))
    assert {"read-note", "hide-note"} <= set(json.loads(shown.stdout)["$defs"]) | set(
        key
        for place in json.loads(shown.stdout)["$defs"].values()
        for key in place.get("required", [])
    )


def probed(scenario: Scenario, **probe: Any) -> dict[str, Any]:
    """The note is hidden for about a second, and its recovery timed by the plug-in's probe."""
    drill = scenario.drill()
    note = scenario.service / "note"
    asks = {"note-says": "{tiny.note}", "words": "all is well", "every": "50ms"} | probe
    drill["probes"] = {"note": asks}
    drill["objectives"] = {"recovery-time": {"rto": "20s", "from": "note", "hold": "300ms"}}
    drill["fault"] = [{"hide-note": "tiny"}]
    writes = f'sleep 1; echo "all is well" > "{note}"'
    drill["recover"] = [{"process": ["sh", "-c", writes], "timeout": "10s"}]
    return drill


@pytest.mark.full
def test_a_probe_of_a_plugin_measures_a_recovery_time(plugged: Scenario) -> None:
    """What good means is theirs to say; how it is timed and judged is ours."""
    ran = plugged.run(probed(plugged))

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert ran.result is not None
    (objective,) = ran.result["judgement"]["objectives"]
    assert 0.9 < float(objective["measured"][0]["interval"]["lo"]) < 10, objective
    rows = (ran.bundle / "data/samples/note.csv").read_text().splitlines()[1:]
    assert {row.rpartition(",")[2] for row in rows} == {"good", "error"}
    plan = json.loads((ran.bundle / "plan.json").read_text())
    assert plan["tool"]["plugin:fireproof-example"] == "0.3.0"
    del plugged.environ["PYTHONPATH"]
    assert plugged.verify(ran.bundle) == 0, "an auditor does not install the plug-in"


@pytest.mark.full
def test_what_the_probe_of_a_plugin_calls_bad_is_bad(plugged: Scenario) -> None:
    """The note is back, with other words: no recovery."""
    drill = probed(plugged)
    drill["objectives"]["recovery-time"]["rto"] = "2s"
    drill["recover"][0]["process"][2] = drill["recover"][0]["process"][2].replace("well", "lost")

    ran = plugged.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert "bad-content" in (ran.bundle / "data/samples/note.csv").read_text()


@pytest.mark.full
def test_a_probe_that_does_not_return_is_no_observation(plugged: Scenario) -> None:
    """Questions that were never asked may not be counted as answers, good or bad."""
    os.mkfifo(plugged.service / "pipe")
    drill = probed(plugged, **{"note-says": str(plugged.service / "pipe")})

    ran = plugged.run(drill | {"baseline": {"for": "10s"}})

    assert (ran.code, ran.outcome) == (3, "aborted"), ran.stderr
    assert "probe note died before the fault" in ran.stderr


def test_the_probes_of_a_plugin_are_checked_like_ours(plugged: Scenario) -> None:
    """Line and column, the words that were meant, and times that must fit together."""
    drill = probed(plugged, wrods="x", timeout="8s", good={"within": "9s"})
    del drill["probes"]["note"]["words"]
    drill["probes"]["other"] = {"note-say": "x"}
    words = plugged.write(drill)

    ran = plugged.wait(plugged.call(["check", words[1]]))

    assert ran.code == 2
    assert "probes.note: unknown key 'wrods'; did you mean 'words'?" in ran.stderr
    assert "probes.other: unknown key 'note-say'; did you mean 'note-says'?" in ran.stderr
    assert "probes.note.good.within: expected at most the probe's timeout" in ran.stderr
    drill = probed(plugged, **{"note-says": "{tiny.nte}"})
    words = plugged.write(drill)
    ran = plugged.wait(plugged.call(words))
    assert ran.code == 3
    assert "probes.note.note-says: component 'tiny' has no 'nte'" in ran.stderr
    shown = plugged.wait(plugged.call(["schema"]))
    document = json.loads(shown.stdout)
    assert any(
        "note-says" in place.get("required", []) and "words" in place["properties"]
        for place in document["$defs"].values()
    )
    assert "PluginProbe" not in shown.stdout


def test_without_the_plugin_its_kinds_are_unknown(scenario: Scenario) -> None:
    """Red for the right reason."""
    words = scenario.write(drill_of(scenario))

    ran = scenario.wait(scenario.call(["check", words[1]]))

    assert ran.code == 2
    assert "'read-note' is not a known step" in ran.stderr
    assert "'hide-note' is not a known fault" in ran.stderr


@pytest.mark.full
def test_a_lab_of_a_plugin_is_an_environment(plugged: Scenario) -> None:
    """``-e NAME`` finds it where ``lab`` is found."""
    words = plugged.write(drill_of(plugged))
    desk = plugged.project / "desk.json"
    desk.write_text(json.dumps(plugged.environment()))
    plugged.environ["DESK"] = str(desk)

    ran = plugged.wait(plugged.call([*words[:3], "desk"]))

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("fireproof_example.gone:Gone", "cannot be loaded: ModuleNotFoundError"),
        ("fireproof_example.desk:Desk", "has no 'params'"),
        ("fireproof_example.hide_note:HideNote", "has no 'run'"),
    ],
)
def test_a_plugin_that_is_of_no_use_is_named(scenario: Scenario, value: str, says: str) -> None:
    """The package to repair or uninstall, not a traceback."""
    target = install(scenario.project / "site", **{"read-note": value})
    scenario.environ["PYTHONPATH"] = str(target)
    words = scenario.write(drill_of(scenario))

    ran = scenario.wait(scenario.call(["check", words[1]]))

    assert ran.code == 2, ran.stderr
    assert "fireproof.steps 'read-note' of fireproof-example 0.3.0" in ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_our_own_kinds_cost_no_scan(scenario: Scenario) -> None:
    """Ten milliseconds of every call of everybody would be paid for a plug-in of one."""
    words = scenario.write()
    program = (
        "from pathlib import Path\n"
        "from fireproof.cli import plugins\n"
        "def no(**_): raise AssertionError('scanned')\n"
        "plugins.entry_points = no\n"
        "from fireproof.cli.compose import vocabulary\n"
        "from fireproof.drillfile import load_drill\n"
        f"load_drill(Path({words[1]!r}), vocabulary())\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=scenario.project)
