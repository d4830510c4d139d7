"""The journal is what a take-over believes: it must be whole, or know where it is torn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireproof.errors import JournalError, MalformedError
from fireproof.journal import JournalWriter, read_bytes, read_journal
from fireproof.model.record import KINDS

PHASE = {"phase": "baseline", "clocks": {"monotonic_ns": 1, "real_ns": 2}, "load1": "0.10"}
REVERT = {"fault": 0, "attempt": 1}


def written(path: Path, count: int = 3) -> bytes:
    writer = JournalWriter.create(path)
    for _ in range(count):
        writer.append("phase", **PHASE)
    writer.close()
    return path.read_bytes()


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """An auditor reads the same records the runner acted on."""
    written(tmp_path / "journal.jsonl")

    records = read_journal(tmp_path / "journal.jsonl")

    assert [record.seq for record in records] == [0, 1, 2]
    assert records[2].prev == records[1].sum


def test_any_changed_byte_ends_the_trust_at_its_line(tmp_path: Path) -> None:
    """A changed record may not be believed, and neither may what follows it."""
    content = written(tmp_path / "journal.jsonl")
    first_line = content.index(b"\n") + 1

    for position in range(first_line, first_line * 2 - 1):
        changed = bytearray(content)
        changed[position] ^= 1
        assert read_bytes(bytes(changed)).sound_bytes == first_line, position


@given(cut=st.integers(min_value=0, max_value=10_000))
def test_a_torn_tail_is_cut_at_a_line(cut: int) -> None:
    """Kill -9 in the middle of a write leaves half a line; the half is not a record."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        content = written(Path(folder) / "journal.jsonl")
    torn = content[: cut % (len(content) + 1)]

    journal = read_bytes(torn)

    assert content[: journal.sound_bytes].count(b"\n") == len(journal.records)
    assert bool(journal.torn) == (journal.sound_bytes != len(torn))


def test_a_take_over_cuts_the_tail_and_goes_on(tmp_path: Path) -> None:
    """The guardian's records must chain to the last sound one, not to rubbish."""
    path = tmp_path / "journal.jsonl"
    written(path)
    with path.open("ab") as file:
        file.write(b'{"seq":3,"at":"2026')

    writer = JournalWriter.take_over(path)
    writer.append("revert-begin", **REVERT)
    writer.close()

    assert [record.kind for record in read_journal(path)] == ["phase"] * 3 + ["revert-begin"]


def test_a_living_writer_is_not_taken_over(tmp_path: Path) -> None:
    """Two writers would undo one fault twice at the same time."""
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.create(path)

    with pytest.raises(JournalError, match="still alive"):
        JournalWriter.take_over(path)
    writer.close()


def test_a_journal_is_never_started_twice(tmp_path: Path) -> None:
    """A second start would wipe the record of the first run."""
    written(tmp_path / "journal.jsonl")

    with pytest.raises(JournalError, match="exists"):
        JournalWriter.create(tmp_path / "journal.jsonl")


def test_a_record_of_unknown_shape_is_refused_before_the_disk(tmp_path: Path) -> None:
    """A misspelt key would be read as an absent fact by the judge."""
    writer = JournalWriter.create(tmp_path / "journal.jsonl")

    with pytest.raises(ValueError, match="takes"):
        writer.append("revert-begin", falt=0)
    writer.close()

    assert (tmp_path / "journal.jsonl").read_bytes() == b""


def test_a_strict_reader_refuses_an_empty_and_a_torn_journal(tmp_path: Path) -> None:
    """Evidence with an unreadable journal proves nothing."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"")
    with pytest.raises(MalformedError, match="empty"):
        read_journal(path)

    path.write_bytes(b"{}\n")
    with pytest.raises(MalformedError, match="not a journal record"):
        read_journal(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error_not_a_lost_record(tmp_path: Path) -> None:
    """The engine must learn that INTENT is not durable before it does harm."""
    writer = JournalWriter(os.open("/dev/full", os.O_RDWR), [], 0, None)

    with pytest.raises(JournalError, match="No space left"):
        writer.append("phase", **PHASE)
    writer.close()

    assert writer.records == []


def test_ballast_makes_room_for_the_undo(tmp_path: Path) -> None:
    """A disk that filled up after the fault must not stop the undo from being recorded."""
    ballast = tmp_path / "ballast"
    writer = JournalWriter.create(tmp_path / "journal.jsonl", ballast=ballast)
    real = writer._fd
    full = os.open("/dev/full", os.O_RDWR)

    class Once(type(writer)):  # type: ignore[misc]
        def _put(self, line: bytes, *, sync: bool) -> None:
            self._fd = full if ballast.exists() else real
            super()._put(line, sync=sync)

    writer.__class__ = Once
    writer.append("revert-begin", **REVERT)
    writer.close()
    os.close(full)

    assert not ballast.exists()
    assert len(read_journal(tmp_path / "journal.jsonl")) == 1


def test_a_good_end_shares_the_sync_of_what_follows_and_a_bad_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that an act relies on may not wait; a start waits for nothing but its own sync."""
    real, count = os.fdatasync, 0
    synced: list[int] = []

    def syncing(fd: int) -> None:
        synced.append(count)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", syncing)
    journal = JournalWriter.create(tmp_path / "journal.jsonl")
    for kind, ok in (("step-start", None), ("check", True), ("step-end", True), ("intent", None)):
        add(journal, kind, ok)
        count += 1
    assert synced == [0, 3]
    add(journal, "step-end", False)
    add(journal, "check", None)
    assert synced == [0, 3, 4, 4]
    add(journal, "step-end", True)
    journal.close()

    assert synced == [0, 3, 4, 4, 4]


def add(journal: JournalWriter, kind: str, ok: bool | None) -> None:
    """A record of a kind, with every key that the kind has."""
    journal.append(
        kind, **(dict.fromkeys(KINDS[kind].split()) | ({} if ok is None else {"ok": ok}))
    )
