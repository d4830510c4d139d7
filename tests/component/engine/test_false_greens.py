"""The list of false greens: what other tools have called a success, and what it is here.

Each row says how the drill is spoilt, which exit code it has to have, and the words that a person
reads. None is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.plugin import plug
from support.scenario import Scenario

pytestmark = pytest.mark.component

Drill = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """``ran``: whether there is a sealed bundle of it; ``harmed``: whether it stays down."""

    code: int
    outcome: str | None  # None: nothing was run
    says: str
    spoil: Callable[[Scenario], Drill]
    harmed: bool = False


def _fault_fails(scenario: Scenario) -> Drill:
    """What it would hide is not there."""
    plug(scenario).unlink()
    return scenario.drill() | {"fault": [{"hide-note": "tiny"}]}


def _undo_fails(scenario: Scenario) -> Drill:
    (scenario.service / "refuse-start").touch()
    return scenario.drill()


def _undo_raises(scenario: Scenario) -> Drill:
    """A folder stands where the note has to go back to: the rename raises."""
    note = plug(scenario)
    blocks = {"process": ["mkdir", str(note)], "timeout": "5s"}
    return scenario.drill() | {"fault": [{"hide-note": "tiny"}], "recover": [blocks]}


def _outage(scenario: Scenario) -> Drill:
    """Well before and well after; gone for two seconds in between."""
    answer = scenario.service / "answer"
    goes = f'printf bad > "{answer}"; sleep 2; printf good > "{answer}"'
    drill = scenario.drill()
    drill["recover"].append({"process": ["sh", "-c", goes], "timeout": "10s"})
    drill["objectives"]["recovery-time"]["rto"] = "1s"
    return drill


def _misspelt_key(scenario: Scenario) -> Drill:
    drill = scenario.drill()
    drill["fautl"] = drill.pop("fault")
    return drill


def _misspelt_strategy(scenario: Scenario) -> Drill:
    drill = scenario.drill()
    drill["objectives"]["recovery-time"]["clock"] = "verifed"
    return drill


def _misspelt_good(scenario: Scenario) -> Drill:
    drill = scenario.drill()
    drill["probes"]["api"]["good"] = {"status": "OK"}
    return drill


def _zero_targets(scenario: Scenario) -> Drill:
    (scenario.service / "pid").write_text("999999999")
    return scenario.drill() | {"fault": [{"pause": "tiny"}]}


def _zero_components(scenario: Scenario) -> Drill:
    return scenario.drill() | {"components": []}


def _zero_objectives(scenario: Scenario) -> Drill:
    return scenario.drill() | {"objectives": {}}


def _clean_up_fails(scenario: Scenario) -> Drill:
    """What a step left outside the run's folder, and no clean-up of ours removes: a link."""
    leaves = f'ln -s "{scenario.service}" "/dev/shm/fireproof-$FIREPROOF_RUN-left"'
    drill = scenario.drill()
    drill["verify"].append({"process": ["sh", "-c", leaves], "timeout": "5s"})
    return drill


def _check_crashes(scenario: Scenario) -> Drill:
    """Its author did not think of a file that is no text."""
    note = plug(scenario)
    note.with_name("odd").write_bytes(b"\xff\xfe")
    drill = scenario.drill()
    drill["verify"].append({"read-note": str(note.with_name("odd")), "says": "all is well"})
    return drill


def _pytest_collects_nothing(scenario: Scenario) -> Drill:
    (scenario.project / "checks").mkdir()
    return scenario.drill() | {"verify": [{"pytest": "checks", "timeout": "30s"}]}


def _zero_samples(scenario: Scenario) -> Drill:
    drill = scenario.drill()
    drill["probes"]["api"]["every"] = "20s"
    drill["objectives"]["recovery-time"] |= {"rto": "1m", "hold": "20s"}
    return drill


ROWS = {
    "fault fails": Row(7, "aborted", "the fault could not be applied: hide-note", _fault_fails),
    "undo fails": Row(4, "aborted-dirty", "MAY STILL BE BROKEN", _undo_fails, harmed=True),
    "undo raises": Row(4, "aborted-dirty", "undo: IsADirectoryError", _undo_raises),
    "outage during the run": Row(1, "failed", "recovery-time missed: ", _outage),
    "misspelt key": Row(2, None, "'fautl'; did you mean 'fault'?", _misspelt_key),
    "misspelt strategy": Row(
        2, None, "got 'verifed'; did you mean 'verified'?", _misspelt_strategy
    ),
    "misspelt good": Row(2, None, "good.status: expected a whole number", _misspelt_good),
    "zero targets": Row(3, "aborted", "names nobody; nothing was harmed", _zero_targets),
    "zero components": Row(2, None, "components: expected at least 1", _zero_components),
    "zero objectives": Row(2, None, "objectives: expected at least 1", _zero_objectives),
    "clean-up fails": Row(4, "aborted-dirty", "LEFT BEHIND: folder ", _clean_up_fails),
    "check crashes": Row(6, "inconclusive", "the step crashed: UnicodeDecode", _check_crashes),
    "pytest collects nothing": Row(6, "inconclusive", "no tests", _pytest_collects_nothing),
    "zero samples": Row(3, "aborted", "probe api observed nothing before the fault", _zero_samples),
}


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()
    for link in Path("/dev/shm").glob("fireproof-*-left"):
        with suppress(OSError):
            if str(link.readlink()) == str(found.service):
                link.unlink()


FULL = {"misspelt good", "zero components", "zero objectives", "zero samples"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.full] if n in FULL else []) for n in ROWS]
)
def test_it_is_never_green(scenario: Scenario, name: str) -> None:
    """Whoever reads 0 stops looking."""
    row = ROWS[name]

    ran = scenario.run(row.spoil(scenario))

    assert ran.code == row.code, ran.stderr
    assert row.says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert scenario.answers() is not row.harmed
    if row.outcome is None:
        assert "nothing was run" in ran.stderr
        assert not scenario.evidence.exists(), "nobody touched anything"
    else:
        assert ran.outcome == row.outcome
        assert scenario.verify(ran.bundle) == 0
    if name == "undo fails":
        assert "tiny_service.py ctl" in ran.stderr, "the command to run by hand"
