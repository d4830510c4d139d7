"""Samples on their way to the file: nothing that was flushed is lost, and little of the disk."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fireproof.load.sheet import Sheet, gather, tail_of

MS = 10**6


def add(sheet: Sheet, number: int) -> None:
    sent = number % 50 != 7
    times = (300_000, 5 * MS + number * 1000) if sent else (-1, -1)
    outcome = "good" if sent else "not-sent"
    scenario = "encode" if number % 3 else "verify"
    sheet.add(number * 5 * MS, *times, 200 if sent else 0, outcome, scenario)


def filled(stem: Path, count: int, segments_at: tuple[int, ...] = ()) -> Sheet:
    sheet = Sheet(stem, ["encode", "verify"])
    for number in range(count):
        add(sheet, number)
        if number in segments_at:
            path, columns = sheet.take()
            sheet.write_segment(path, columns)
            sheet.cut()
    return sheet


def test_segments_and_tail_become_one_file(tmp_path: Path) -> None:
    """The judge reads one file a process, in the order of due times."""
    stem = tmp_path / "traffic-0"
    filled(stem, 1000, (299, 599)).close()

    whole = pq.read_table(stem.with_name("traffic-0.parquet"))

    assert [path.name for path in tmp_path.iterdir()] == ["traffic-0.parquet"]
    assert whole["due_ns"].to_pylist() == [n * 5 * MS for n in range(1000)]
    assert whole["late_us"].to_pylist()[6:9] == [300, None, 300]
    assert whole["latency_us"].to_pylist()[6:9] == [5006, None, 5008]
    assert whole["outcome"].to_pylist()[6:9] == ["good", "not-sent", "good"]
    assert whole["scenario"].to_pylist()[:4] == ["verify", "encode", "encode", "verify"]


@pytest.mark.parametrize("torn", ["", "123,4", "123,4,5,200,good,encode"])
def test_what_a_killed_writer_left_is_readable(tmp_path: Path, torn: str) -> None:
    """The minutes before a crash are the ones that people ask about; a torn row is cut."""
    stem = tmp_path / "traffic-0"
    sheet = filled(stem, 500, (299,))
    sheet.flush()
    with tail_of(stem).open("a") as tail:
        tail.write(torn)

    path, rows = gather(stem)

    assert rows == 500
    assert pq.read_table(path)["due_ns"].to_pylist() == [n * 5 * MS for n in range(500)]


def test_a_kill_between_segment_and_cut_counts_no_row_twice(tmp_path: Path) -> None:
    """Rows stand in both places for a moment."""
    stem = tmp_path / "traffic-0"
    sheet = filled(stem, 400)
    path, columns = sheet.take()
    sheet.flush()
    sheet.write_segment(path, columns)

    assert gather(stem)[1] == 400


def test_rows_that_come_while_a_segment_is_written_are_kept(tmp_path: Path) -> None:
    """The thread takes milliseconds, and the schedule does not wait for it."""
    stem = tmp_path / "traffic-0"
    sheet = filled(stem, 400)
    path, columns = sheet.take()
    for number in range(400, 420):
        add(sheet, number)
    sheet.write_segment(path, columns)
    sheet.cut()
    sheet.close()

    assert gather(stem)[1] == 420


def test_gathering_twice_changes_nothing(tmp_path: Path) -> None:
    """Whoever recovers a run may come after somebody who did."""
    stem = tmp_path / "traffic-0"
    filled(stem, 100).close()
    before = stem.with_name("traffic-0.parquet").read_bytes()

    assert gather(stem)[1] == 100
    assert stem.with_name("traffic-0.parquet").read_bytes() == before
