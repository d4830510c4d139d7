"""Where a run keeps its things, and who may touch them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fireproof.guard.folder import RunFolder, new_run_id
from fireproof.guard.sweeper import STARTING_S, unfinished
from fireproof.journal import JournalWriter


def begun(evidence: Path) -> tuple[RunFolder, int]:
    folder = RunFolder(evidence / "runs" / new_run_id())
    lock = folder.create()
    writer = JournalWriter.create(folder.journal, ballast=folder.ballast)
    writer.append("revert-begin", fault=0, attempt=1)
    writer.close()
    return folder, lock


def test_run_ids_sort_by_time_and_are_version_7() -> None:
    """Folders list in the order of the runs."""
    first = new_run_id()
    time.sleep(0.002)
    second = new_run_id()

    assert first < second
    assert (first[14], first[19] in "89ab") == ("7", True)


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    """Two owners would undo one fault twice at once."""
    folder, lock = begun(tmp_path)

    assert folder.try_lock() is None
    os.close(lock)
    again = folder.try_lock()
    assert again is not None
    os.close(again)


def test_the_sweeper_finds_the_dead_and_leaves_the_living_and_the_finished(tmp_path: Path) -> None:
    """A fault may stand behind the first; sweeping the second would break a running drill."""
    dead, lock = begun(tmp_path)
    os.close(lock)
    _living, held = begun(tmp_path)
    finished, lock = begun(tmp_path)
    finished.write_result({"exit_code": 0})
    os.close(lock)

    assert unfinished(tmp_path) == [dead]
    os.close(held)


def test_an_empty_beginning_is_removed_only_when_it_is_old(tmp_path: Path) -> None:
    """A folder without a journal may be somebody's who is just starting."""
    folder = RunFolder(tmp_path / "runs" / new_run_id())
    os.close(folder.create())
    assert unfinished(tmp_path) == []
    assert folder.root.exists()

    old = time.time() - STARTING_S - 1
    os.utime(folder.root, (old, old))
    assert unfinished(tmp_path) == []
    assert not folder.root.exists()


def test_a_result_is_whole_or_absent(tmp_path: Path) -> None:
    """Make reads it; half a file would be read as no outcome at all."""
    folder, lock = begun(tmp_path)
    os.close(lock)
    assert folder.read_result() is None
    folder.result.write_text('{"exit_co')
    assert folder.read_result() is None

    folder.write_result({"exit_code": 1})

    assert folder.read_result() == {"exit_code": 1}
