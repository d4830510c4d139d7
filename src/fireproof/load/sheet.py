"""Raw samples on their way to Parquet: what was flushed outlives whoever wrote it.

A Parquet file is readable only once its footer stands. So rows go to a CSV tail several times a
second, a full tail becomes a whole Parquet segment, and the segments become one file at the end.
"""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fireproof.model.sample import LOAD_COLUMNS

OUTCOMES = ("good", "bad", "timeout", "error", "not-sent")
SEGMENT_ROWS = 16_384  # of some 60 kB; 80 s at 200/s
_NONE = -1  # in memory, of a slot that was not sent; null in the file


class Sheet:
    """Rows of one process; ``stem`` is the sample file without its ending."""

    def __init__(self, stem: Path, scenarios: Sequence[str]) -> None:
        # Now, because in the middle of the load its import would hold a second's requests up.
        import pyarrow.parquet  # noqa: F401

        self._stem, self._scenarios = stem, tuple(scenarios)
        self._number = {name: index for index, name in enumerate(scenarios)}
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._tail = os.open(tail_of(stem), flags, 0o644)
        self._write(",".join(LOAD_COLUMNS) + "\n")
        self._waiting: list[str] = []
        self._segments = 0
        self.rows = 0
        self._columns = _columns()

    def add(
        self, due_ns: int, late_ns: int, latency_ns: int, status: int, outcome: str, scenario: str
    ) -> None:
        """Keep one row; negative times mean that it was never sent."""
        late_us, latency_us = _NONE, _NONE
        if late_ns >= 0:
            late_us, latency_us = -(-late_ns // 1000), -(-latency_ns // 1000)  # up: never flatters
        row = (due_ns, late_us, latency_us, status, OUTCOMES.index(outcome))
        for column, value in zip(self._columns, (*row, self._number[scenario]), strict=True):
            column.append(value)
        sent = f"{late_us},{latency_us}" if late_ns >= 0 else ","
        self._waiting.append(f"{due_ns},{sent},{status},{outcome},{scenario}\n")
        self.rows += 1

    def flush(self) -> None:
        """Everything that waits is with the kernel."""
        if self._waiting:
            self._write("".join(self._waiting))
            self._waiting.clear()

    def full(self) -> bool:
        return len(self._columns[0]) >= SEGMENT_ROWS

    def take(self) -> tuple[Path, Sequence[array[int]]]:
        """The rows of a segment, and its path; the next rows belong to the next one."""
        columns, self._columns = self._columns, _columns()
        self._segments += 1
        return self._stem.with_name(f"{self._stem.name}.{self._segments:05d}.parquet"), columns

    def write_segment(self, path: Path, columns: Sequence[array[int]]) -> None:
        """The segment as a whole file. May run in a thread: it takes milliseconds."""
        write(path, [table(columns, self._scenarios)])

    def cut(self) -> None:
        """Empty the tail of what stands in segments now; rows of this moment are written anew."""
        self.flush()
        os.ftruncate(self._tail, 0)
        self._write(",".join(LOAD_COLUMNS) + "\n")
        for row in zip(*self._columns, strict=True):
            due, late, latency, status, outcome, scenario = row
            sent = f"{late},{latency}" if late != _NONE else ","
            text = f"{due},{sent},{status},{OUTCOMES[outcome]},{self._scenarios[scenario]}\n"
            self._waiting.append(text)
        self.flush()

    def close(self) -> None:
        """One file in place of segments and tail."""
        self.flush()
        os.close(self._tail)
        gather(self._stem)

    def _write(self, text: str) -> None:
        left = memoryview(text.encode())
        while left:
            left = left[os.write(self._tail, left) :]


def _columns() -> tuple[array[int], ...]:
    return tuple(array(code) for code in "qqqhbb")


def tail_of(stem: Path) -> Path:
    """Where rows stand that are in no segment yet."""
    return stem.with_name(f"{stem.name}.tail.csv")


def gather(stem: Path) -> tuple[Path, int]:
    """The sample file of a stem and its rows, made of whatever its writer left behind.

    Safe to repeat, and after a kill at any instant: a segment and the tail may hold the same row,
    which is known by its due time and counted once.
    """
    import pyarrow.parquet as pq

    path = stem.with_name(f"{stem.name}.parquet")
    segments = sorted(stem.parent.glob(f"{stem.name}.[0-9]*.parquet"))
    tail = tail_of(stem)
    if not path.exists():
        newest = pq.read_table(segments[-1])["due_ns"].to_pylist() if segments else []
        write(path, _tables(segments, tail, set(newest)))
    for done in (*segments, tail):
        done.unlink(missing_ok=True)
    return path, pq.read_metadata(path).num_rows


def _tables(segments: Sequence[Path], tail: Path, known: set[int]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for segment in segments:  # one at a time: hours of samples are more than we may hold
        yield pq.read_table(segment)
    columns, scenarios = _columns(), list[str]()
    for row in _whole_rows(tail):
        due, late, latency, status, outcome, scenario = row
        if int(due) in known:
            continue
        if scenario not in scenarios:
            scenarios.append(scenario)
        values = (int(due), int(late or _NONE), int(latency or _NONE), int(status))
        rest = (OUTCOMES.index(outcome), scenarios.index(scenario))
        for column, value in zip(columns, (*values, *rest), strict=True):
            column.append(value)
    yield table(columns, scenarios)


def _whole_rows(tail: Path) -> Iterator[list[str]]:
    """Rows below the header; a torn last one is cut, never trusted."""
    if not tail.exists():
        return
    text = tail.read_text("utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    yield from csv.reader(lines[1:])


def table(columns: Sequence[array[int]], scenarios: Sequence[str]) -> Any:
    """The rows in the order of their due times, as an Arrow table."""
    import numpy as np
    import pyarrow as pa

    due, late, latency, status, outcome, scenario = (
        np.frombuffer(column, dtype=column.typecode) if column else np.array([], column.typecode)
        for column in columns
    )
    order = np.argsort(due, kind="stable")

    def numbers(values: Any, kind: Any) -> Any:
        return pa.array(values[order], mask=values[order] == _NONE).cast(kind)

    def words(values: Any, names: Sequence[str]) -> Any:
        kind = pa.dictionary(pa.int8(), pa.string())
        return pa.DictionaryArray.from_arrays(values[order], pa.array(names, pa.string())).cast(
            kind
        )

    arrays = [pa.array(due[order]), numbers(late, pa.int32()), numbers(latency, pa.int32())]
    arrays += [pa.array(status[order]).cast(pa.int16())]
    arrays += [words(outcome, OUTCOMES), words(scenario, scenarios)]
    return pa.Table.from_arrays(arrays, names=list(LOAD_COLUMNS))


def write(path: Path, tables: Iterator[Any] | Sequence[Any]) -> None:
    """A whole Parquet file, one row group a table, or none at all."""
    import pyarrow.parquet as pq

    part = path.with_name(path.name + ".part")
    writer: Any = None
    try:
        for one in tables:
            if writer is None:
                writer = pq.ParquetWriter(
                    part,
                    one.schema,
                    compression="zstd",
                    use_dictionary=["status", "outcome", "scenario"],
                    column_encoding=dict.fromkeys(LOAD_COLUMNS[:3], "DELTA_BINARY_PACKED"),
                    write_statistics=False,
                )
            if one.num_rows:
                writer.write_table(one)
    finally:
        if writer is not None:
            writer.close()
    part.rename(path)
