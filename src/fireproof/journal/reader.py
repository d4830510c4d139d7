"""Reads a journal: whole and strict for evidence, up to the torn tail for a take-over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fireproof.errors import MalformedError
from fireproof.journal.line import FIRST_PREV, parse
from fireproof.model.record import Record


@dataclass(frozen=True, slots=True)
class Journal:
    """Records that hold, and how many bytes of the file they make up."""

    records: tuple[Record, ...]
    sound_bytes: int
    torn: str = ""  # what is wrong with the rest; empty when there is none


def read_bytes(content: bytes) -> Journal:
    """Every record up to the first that does not hold; never raises."""
    records: list[Record] = []
    offset, prev = 0, FIRST_PREV
    while offset < len(content):
        end = content.find(b"\n", offset) + 1
        if not end:
            return Journal(tuple(records), offset, "the last line has no end")
        try:
            record = parse(content[offset:end], len(records), prev)
        except MalformedError as error:
            return Journal(tuple(records), offset, str(error))
        records.append(record)
        offset, prev = end, record.sum
    return Journal(tuple(records), offset)


def read_journal(path: Path) -> tuple[Record, ...]:
    """All records of a finished journal.

    Raises:
        MalformedError: when any byte of it does not hold, or it is empty.
    """
    journal = read_bytes(path.read_bytes())
    if journal.torn or not journal.records:
        raise MalformedError(journal.torn or "the journal is empty")
    return journal.records
