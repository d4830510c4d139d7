"""A whole run under load: started at its phase, judged, sealed, recomputed; and its bad ends."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fireproof.processes import marked
from support.load import LOCUSTFILE
from support.scenario import Scenario

pytestmark = pytest.mark.component


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    made = Scenario(tmp_path)
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "tiny.py").write_text(LOCUSTFILE)
    yield made
    made.close()


def under_load(scenario: Scenario, **load: Any) -> dict[str, Any]:
    """The tiny drill with a load through all of it."""
    drill = scenario.drill()
    traffic: dict[str, Any] = {"locustfile": "load/tiny.py", "target": "{tiny.url}"}
    traffic |= {"stages": [{"for": "60s", "rate": "40/s"}], "scenarios": {"encode": 3, "verify": 1}}
    drill["load"] = {"traffic": traffic | {"timeout": "2s"} | load}
    drill["baseline"] = {"for": "2s"}
    drill["objectives"]["healthy"] = {
        "slo": {"p50": "1s", "p95": "1s"},
        "from": "traffic",
        "during": "baseline",
    }
    return drill


def test_a_run_under_load_is_judged_from_its_samples_and_recomputes(scenario: Scenario) -> None:
    """The auditor's machine must come to the same percentiles from the bytes of the bundle."""
    drill = under_load(scenario)
    drill["probes"]["held"] = {"resources": "tiny", "every": "50ms"}
    drill["objectives"]["kept"] = {"growth": "handles", "limit": "100000/h", "from": "held"}
    drill["objectives"]["outage-shows"] = {
        "requests": {"failed": 0, "at-least": 1},
        "from": "traffic",
        "during": "fault",
    }

    ran = scenario.run(drill)

    assert ran.result is not None, ran.stderr
    told = {one["name"]: one for one in ran.result["judgement"]["objectives"]}
    measured = {one["name"] for one in told["healthy"]["measured"]}
    assert {"p50", "p95", "p99.9", "rate", "load-lateness-p99"} <= measured
    assert told["healthy"]["verdict"] == "met" or "invalid" in told["healthy"]["reason"]
    assert told["outage-shows"]["verdict"] != "met", "a killed service fails requests"
    assert next(one["unit"] for one in told["kept"]["measured"]) == "handles/h"
    assert (ran.bundle / "data" / "samples" / "traffic-0.parquet").exists()
    assert "load traffic begins: stages" in ran.stderr
    plan = json.loads((ran.bundle / "plan.json").read_text())
    assert "load/tiny.py" in plan["procedures"], "the auditor must know which file it was"
    assert scenario.verify(ran.bundle) == 0


@pytest.mark.full
def test_an_edited_sample_does_not_verify(scenario: Scenario) -> None:
    """One slow request taken out of the file is one promise kept too many."""
    ran = scenario.run(under_load(scenario))
    path = ran.bundle / "data" / "samples" / "traffic-0.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))

    assert scenario.verify(ran.bundle) == 5


def test_a_killed_runner_takes_its_load_along_and_keeps_its_samples(scenario: Scenario) -> None:
    """A soak that was interrupted ends aborted, and its minutes are still there to be read."""
    child = scenario.start(under_load(scenario))
    scenario.wait_for_record("load-start")
    pid = scenario.wait_for_record("open")["data"]["pid"]
    time.sleep(0.8)
    os.kill(pid, signal.SIGKILL)

    ran = scenario.wait(child)

    assert ran.outcome == "aborted"
    assert marked(ran.bundle.name) == []
    left = [path.name for path in (ran.bundle / "data" / "samples").glob("traffic-0.*")]
    assert left, "samples are kept"
    rows = (ran.bundle / "data" / "samples" / left[0]).read_bytes()
    assert rows.count(b"\n") > 10 or left[0].endswith(".parquet")
    assert scenario.verify(ran.bundle) == 0


@pytest.mark.full
def test_an_interrupted_load_is_whole_as_far_as_it_came(scenario: Scenario) -> None:
    """Ctrl-C in the third hour: aborted, undone, and three hours of samples as Parquet."""
    child = scenario.start(under_load(scenario))
    scenario.wait_for_record("load-start")
    time.sleep(0.8)
    child.send_signal(signal.SIGINT)

    ran = scenario.wait(child)

    assert ran.outcome == "aborted"
    assert (ran.bundle / "data" / "samples" / "traffic-0.parquet").exists()


@pytest.mark.full
@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("import os\n\nraise RuntimeError('no')\n", "load/tiny.py:3:1", "raises RuntimeError: no"),
        ("def broken(:\n", "load/tiny.py:1:1", "SyntaxError"),
        (None, "drills/tiny.yaml:", "there is no load/tiny.py below the project"),
        (LOCUSTFILE.replace("Verify", "Other"), "load/tiny.py:1:1", "no scenario 'verify'"),
    ],
)
def test_a_locustfile_that_cannot_run_is_told_with_its_line(
    scenario: Scenario, text: str | None, place: str, said: str
) -> None:
    """Nothing is broken for the sake of a drill that could not have measured."""
    path = scenario.project / "load" / "tiny.py"
    path.unlink() if text is None else path.write_text(text)

    ran = scenario.run(under_load(scenario))

    assert ran.code == 2
    assert place in ran.stderr
    assert said in ran.stderr
    assert scenario.answers()


def test_resources_of_a_component_without_a_pid_are_refused(scenario: Scenario) -> None:
    """A probe that cannot know whose memory to read would read nobody's."""
    drill = under_load(scenario)
    scenario.others = {"far": {"kind": "http", "url": "http://127.0.0.1:9"}}
    drill["probes"]["held"] = {"resources": "far"}

    ran = scenario.run(drill)

    assert ran.code in (2, 3)
    assert "component 'far' has no `control:`" in ran.stderr


@pytest.mark.full
def test_a_soak_harms_nothing_and_needs_no_fault(scenario: Scenario) -> None:
    """Its load is what the system has to stand; cut short it is a smoke, and inconclusive."""
    drill = under_load(
        scenario, profile="soak", **{"for": "6s", "rate": "40/s", "whole": True, "stages": []}
    )
    del drill["load"]["traffic"]["stages"]
    drill |= {"fault": [], "recover": [], "probes": {}}
    drill["objectives"] = {
        "soaked": {"slo": {"p95": "1s"}, "from": "traffic", "at-least": "4h"},
    }

    ran = scenario.run(drill)

    assert ran.code == 6, ran.stderr
    assert "load traffic begins: smoke" in ran.stderr
    assert "a shortened soak is a smoke" in ran.stderr or "invalid" in ran.stderr
