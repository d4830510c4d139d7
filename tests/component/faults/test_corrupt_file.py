"""corrupt-file on real files, and in a run whose runner is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults import load_faults
from fireproof.model.ports import StepContext
from support.scenario import Scenario
from support.steps import step_context

pytestmark = pytest.mark.component

FAULT = load_faults(["corrupt-file"])["corrupt-file"]
CONTENT = bytes(range(256)) * 64


def soon() -> int:
    return time.monotonic_ns() + 10**10


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "rows").write_bytes(CONTENT)
    os.utime(folder / "rows", (1000, 1000))
    return folder


def context(data: Path, faults: tuple[str, ...] = ("corrupt-file",)) -> StepContext:
    db = {"kind": "small", "data-directory": str(data), "faults": list(faults)}
    return step_context(data.parent, {"db": db}, saved={"which": "rows"})


def prepared(data: Path, **more: Any) -> dict[str, Any]:
    params = FAULT.params.model_validate({"corrupt-file": "db", "file": "rows", **more})
    undo: dict[str, Any] = json.loads(json.dumps(FAULT.prepare(params, context(data))))
    return undo


@pytest.mark.parametrize(
    "where", [{"at": 100}, {"at": 8192, "length": 512}, {"places": 7, "seed": 3, "length": 2}, {}]
)
def test_bytes_are_inverted_and_come_back_to_the_bit(data: Path, where: dict[str, int]) -> None:
    """A corruption that changed nothing proves nothing; an undo that is off by one is a loss."""
    undo = prepared(data, **where)
    assert (data / "rows").read_bytes() == CONTENT

    FAULT.apply(undo, context(data))

    count = where.get("places", 1) * where.get("length", 1)
    now = (data / "rows").read_bytes()
    wrong = [i for i, (a, b) in enumerate(zip(now, CONTENT, strict=True)) if a != b]
    assert len(wrong) == count
    assert all(now[i] == 255 - CONTENT[i] for i in wrong)
    assert "is corrupt at" in (FAULT.present(undo, recovered=True) or "")
    said = FAULT.undo(undo, recovered=False, deadline_ns=soon())
    assert said.startswith(f"restored {count} bytes")
    assert FAULT.present(undo, recovered=False) is None
    assert (data / "rows").read_bytes() == CONTENT
    assert (data / "rows").stat().st_mtime == 1000
    assert "is as it was" in FAULT.undo(undo, recovered=False, deadline_ns=soon())


def test_the_same_seed_strikes_the_same_places(data: Path) -> None:
    """A corruption found once must be found again."""
    assert prepared(data, places=5, seed=1) == prepared(data, places=5, seed=1)
    assert prepared(data, places=5, seed=1) != prepared(data, places=5, seed=2)


def test_a_half_done_corruption_is_undone_whole(data: Path) -> None:
    """The runner may die between two bytes."""
    undo = prepared(data, places=4, seed=9)
    FAULT.apply(undo, context(data))
    first, good = undo["places"][0]
    with (data / "rows").open("r+b") as file:
        file.seek(first)
        file.write(bytes.fromhex(good))

    FAULT.undo(undo, recovered=False, deadline_ns=soon())

    assert (data / "rows").read_bytes() == CONTENT


def test_an_undo_of_what_never_was_applied_changes_nothing(data: Path) -> None:
    """The runner may die between the intent and the act."""
    undo = prepared(data, places=4)

    for recovered in (False, True):
        assert "as it was" in FAULT.undo(undo, recovered=recovered, deadline_ns=soon())
        assert FAULT.present(undo, recovered=recovered) is None
    assert (data / "rows").read_bytes() == CONTENT


def test_what_a_recovery_wrote_is_left_alone(data: Path) -> None:
    """An undo that writes old bytes into restored data is the worst fault of all."""
    undo = prepared(data, at=100, length=4)
    FAULT.apply(undo, context(data))
    restored = b"\x9b" * len(CONTENT)  # holds the very bytes that the fault left at 100
    (data / "fresh").write_bytes(restored)
    (data / "fresh").rename(data / "rows")

    said = FAULT.undo(undo, recovered=False, deadline_ns=soon())

    assert "replaced" in said
    assert FAULT.present(undo, recovered=False) is None
    assert (data / "rows").read_bytes() == restored
    (data / "rows").unlink()
    assert "there is no" in FAULT.undo(undo, recovered=True, deadline_ns=soon())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"file": "gone"}, "No such file"),
        ({"file": "../outside"}, "states as its own"),
        ({"file": "/etc/hostname"}, "states as its own"),
        ({"file": "link"}, "states as its own"),
        ({"file": "."}, "directory"),
        ({"file": "pipe"}, "not a plain file"),
        ({"at": len(CONTENT)}, "beyond"),
        ({"places": 64, "length": 512}, "at most 4096 bytes"),
        ({"places": 64, "length": 64, "file": "small"}, "too few"),
        ({"corrupt-file": "gone"}, "no component 'gone'"),
    ],
)
def test_what_is_no_file_of_the_component_is_refused(
    data: Path, more: dict[str, Any], says: str
) -> None:
    """A path in a drill file must not reach beyond the component that may be drilled."""
    (data.parent / "outside").write_bytes(CONTENT)
    (data / "link").symlink_to(data.parent / "outside")
    (data / "small").write_bytes(b"small")
    os.mkfifo(data / "pipe")

    with pytest.raises(EnvironmentRefusal, match=says):
        prepared(data, **more)

    assert (data.parent / "outside").read_bytes() == CONTENT


def test_a_fault_that_is_not_allowed_is_refused(data: Path) -> None:
    """The environment decides, not the drill."""
    params = FAULT.params.model_validate({"corrupt-file": "db", "file": "rows"})
    with pytest.raises(EnvironmentRefusal, match="does not allow"):
        FAULT.prepare(params, context(data, ("kill",)))


def test_a_file_that_changed_since_is_not_corrupted(data: Path) -> None:
    """The recorded bytes would no longer be what the undo must bring back."""
    undo = prepared(data, at=100)
    with (data / "rows").open("r+b") as file:
        file.seek(100)
        file.write(b"\0")

    with pytest.raises(StepError, match="changed at 100"):
        FAULT.apply(undo, context(data))
    with pytest.raises(UndoError, match="recorded undo"):
        FAULT.undo({"kind": "corrupt-file", "path": "/x"}, recovered=False, deadline_ns=soon())


def test_the_command_by_hand_and_the_undo_work_in_a_bare_process(data: Path) -> None:
    """Nothing of the runner is left to help them."""
    undo = prepared(data, places=3, file="{saved.which}")
    FAULT.apply(undo, context(data))
    subprocess.run(FAULT.by_hand(undo), shell=True, check=True)  # noqa: S602
    assert (data / "rows").read_bytes() == CONTENT
    FAULT.apply(undo, context(data))
    program = (
        "import json, sys; from fireproof.faults import load_faults;"
        "undo = json.load(sys.stdin); fault = load_faults([undo['kind']])[undo['kind']];"
        "fault.undo(undo, recovered=False, deadline_ns=0);"
        "assert fault.present(undo, recovered=False) is None;"
        "assert 'pydantic' not in sys.modules and 'asyncio' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], input=json.dumps(undo), text=True, check=True)

    assert (data / "rows").read_bytes() == CONTENT


def test_a_corruption_is_undone_by_the_guardian(scenario: Scenario) -> None:
    """Kill -9 of the runner leaves no rotten byte behind."""
    rows = scenario.service / "data" / "rows"
    rows.parent.mkdir()
    rows.write_bytes(CONTENT)
    scenario.extra = {"data-directory": str(rows.parent), "faults": ["kill", "corrupt-file"]}
    drill = scenario.drill()
    drill["fault"].insert(0, {"corrupt-file": "tiny", "file": "rows", "places": 5})
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    assert rows.read_bytes() != CONTENT

    os.kill(runner, signal.SIGKILL)
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert rows.read_bytes() == CONTENT
    assert scenario.answers()
