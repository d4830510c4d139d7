"""Who runs here, and who may: a start sees the block, or whoever blocks sees the start."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import RunFolder, new_run_id
from fireproof.guard.order import block, block_file, new_order, read_order, why_blocked
from fireproof.guard.roll import enter, roll


@pytest.fixture(autouse=True)
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "leases"
    monkeypatch.setenv("FIREPROOF_LEASES", str(place))
    return place


def folder_in(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / new_run_id())


def slips_through(tmp_path: Path, start: str, stop: str) -> list[str]:
    """Interleavings of a start and a stop after which neither knows of the other."""
    found = []
    for places in combinations(range(4), 2):
        starting, stopping = iter(start), iter(stop)
        acts = "".join(next(starting if n in places else stopping) for n in range(4))
        entered, blocked, seen = None, False, False
        for act in acts:
            if act == "e":
                entered = enter(folder_in(tmp_path), drill="d", environment="e")
            elif act == "l":
                blocked = why_blocked() is not None
            elif act == "b":
                block(new_order("now"))
            else:
                seen = any(entry.lives() for entry in roll())
        if not (blocked or seen):
            found.append(acts)
        if entered is not None:
            entered.leave()
        block_file().unlink()
    return found


def test_whatever_the_order_the_run_is_blocked_or_seen(tmp_path: Path) -> None:
    """A drill that slipped through would begin in the middle of a real outage."""
    # A start enters, then looks; a stop blocks, then reads the roll.
    assert slips_through(tmp_path, "el", "br") == []
    assert slips_through(tmp_path, "le", "br") == ["lbre"]
    assert slips_through(tmp_path, "el", "rb") == ["relb"]


def test_the_first_block_stands(tmp_path: Path) -> None:
    """A second hand may not hide who began it and why."""
    block(new_order("first"))

    in_force = block(new_order("second"))

    assert in_force.why == "first"
    assert "first; once that is over: fireproof unblock" in (why_blocked() or "")


def test_an_entry_lives_as_long_as_its_process_and_is_cleared_away(tmp_path: Path) -> None:
    """A list that fills with the dead is no list."""
    ours = enter(folder_in(tmp_path), drill="d", environment="e")
    (entry,) = roll()
    child = os.fork()
    if child == 0:
        enter(folder_in(tmp_path), drill="other", environment="e")
        os._exit(0)
    os.waitpid(child, 0)

    assert [one.drill for one in roll()] == ["d"]
    assert ours.asked() is None
    entry.stop(new_order("enough"))
    assert (ours.asked() or "").endswith(": enough")
    ours.leave()
    assert roll() == []
    assert list(entry.path.parent.iterdir()) == []


def test_an_order_that_cannot_be_read_counts(tmp_path: Path) -> None:
    """Half a file, a folder, somebody else's: none of them means that all is well."""
    path = tmp_path / "order.json"

    assert read_order(path) is None
    path.mkdir()
    assert "cannot be read" in (getattr(read_order(path), "why", ""))


def test_without_a_place_for_the_roll_nothing_starts(tmp_path: Path, leases: Path) -> None:
    """A run that nobody can find is a run that nobody can stop."""
    leases.write_text("a file")

    with pytest.raises(EnvironmentRefusal, match="FIREPROOF_LEASES names another folder"):
        enter(folder_in(tmp_path), drill="d", environment="e")
