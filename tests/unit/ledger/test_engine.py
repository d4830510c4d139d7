"""The engine over a log in memory: what it signs, what it refuses, what it survives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.merkle.engine import Engine, EngineMeters, NotCovered
from proving_ground.merkle.feed import Away, Row
from proving_ground.merkle.log import LoggedEvent, LoggedNote, StoredLog
from proving_ground.merkle.note import ORIGIN, verify_note
from proving_ground.merkle.proof import verify_consistency, verify_inclusion
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.replay import Replayed, replay
from support.defective import defective
from support.logs import KEY


class Memory:
    """A feed whose log the test can see and spoil."""

    def __init__(self, size: int = 0) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self.away = False
        self.loses_answers = False
        self.add(size)

    def add(self, count: int) -> None:
        start = len(self.rows) + 1
        self.rows += [
            Row(seq, "t", f"k{seq}", f"body {seq}") for seq in range(start, start + count)
        ]

    async def after(self, seq: int, limit: int = 1000) -> list[Row]:
        self._answer()
        return [row for row in self.rows if row.seq > seq][:limit]

    async def newest_note(self) -> str | None:
        self._answer()
        return self.notes[-1] if self.notes else None

    async def store(self, number: int, size: int, note: str) -> None:
        self._answer()
        if number != len(self.notes) + 1:
            raise Away("another engine was first")
        self.notes.append(note)
        if self.loses_answers:
            raise Away("committed, and the answer was lost")

    async def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.away:
            raise Away("gone")

    def replayed(self) -> Replayed:
        digest, events = GENESIS, []
        for row in self.rows:
            digest = event_digest(digest, row.seq, row.tenant, row.key, row.body)
            events.append(LoggedEvent(row.seq, row.tenant, row.key, row.body, digest))
        notes = [LoggedNote(number, note) for number, note in enumerate(self.notes, start=1)]
        return replay(StoredLog(events, notes), KEY.public_key(), ORIGIN)


def engine_over(feed: Memory) -> Engine:
    return Engine(feed, KEY, ORIGIN, 0.001, EngineMeters())


def rounds(engine: Engine, count: int = 1) -> None:
    for _ in range(count):
        asyncio.run(engine.round())


def test_every_event_gets_a_proof_that_the_newest_checkpoint_supports() -> None:
    """Batches, restarts and odd sizes included."""
    feed = Memory()
    engine = engine_over(feed)
    for count in (1, 2, 1003, 5):
        feed.add(count)
        rounds(engine, 2)
    engine = engine_over(feed)
    rounds(engine)

    assert feed.replayed().proved == 1011
    assert engine.note == feed.notes[-1]
    point = verify_note(feed.notes[-1], KEY.public_key(), ORIGIN)
    for seq in (1, 2, 3, 1000, 1001, 1011):
        proof = engine.proof(seq)
        verify_inclusion(proof.leaf, proof.index, proof.size, proof.path, point.root)
    old = verify_note(feed.notes[1], KEY.public_key(), ORIGIN)
    path = engine.consistency(old.size, point.size)
    verify_consistency(old.size, point.size, path, old.root, point.root)
    for ask in (lambda: engine.proof(1012), lambda: engine.consistency(5, 1012)):
        with pytest.raises(NotCovered):
            ask()


def test_nothing_new_means_no_new_checkpoint() -> None:
    """A quiet night must not write twenty lines a second."""
    feed = Memory(3)
    rounds(engine_over(feed), 5)

    assert len(feed.notes) == 1


def test_an_empty_ledger_has_no_checkpoint_and_is_ready() -> None:
    """The first event comes after the first readiness probe."""
    feed = Memory()
    engine = engine_over(feed)
    rounds(engine)

    assert engine.why_not_ready() is None
    assert engine.note is None
    with pytest.raises(NotCovered, match="the newest covers 0"):
        engine.proof(1)


def test_what_was_shown_was_stored_first() -> None:
    """A checkpoint that a client has seen is there after a kill."""
    feed = Memory(3)
    engine = engine_over(feed)
    rounds(engine)
    feed.add(1)
    shown = engine.note

    async def store_fails(number: int, size: int, note: str) -> None:
        raise Away("gone")

    feed.store = store_fails  # type: ignore[method-assign]
    with pytest.raises(Away):
        rounds(engine)

    assert engine.note == shown == feed.notes[-1]


def test_a_commit_whose_answer_was_lost_is_found_and_kept() -> None:
    """Signing another checkpoint with the same number would be two truths."""
    feed = Memory(3)
    engine = engine_over(feed)
    feed.loses_answers = True
    with pytest.raises(Away):
        rounds(engine)
    feed.loses_answers = False
    feed.add(1)
    rounds(engine)

    assert [verify_note(note, KEY.public_key(), ORIGIN).size for note in feed.notes] == [3, 4]
    assert feed.replayed().proved == 4


def test_a_database_that_was_restored_to_before_is_followed_from_there() -> None:
    """The engine in memory is ahead of a restored log; it must not sign what is gone."""
    feed = Memory(10)
    engine = engine_over(feed)
    rounds(engine)
    feed.add(5)
    rounds(engine)
    del feed.rows[12:], feed.notes[1:]
    feed.add(1)
    rounds(engine)

    assert feed.replayed().proved == 13
    assert engine.proof(13).size == 13


SPOILED: dict[str, tuple[Callable[[Memory], None], str]] = {
    "a body was changed": (
        lambda feed: feed.rows.__setitem__(4, replace(feed.rows[4], body="x")),
        "root",
    ),
    "an event is missing": (lambda feed: feed.rows.__delitem__(4), "order"),
    "the end is missing": (lambda feed: feed.rows.__delitem__(slice(8, None)), "truncated"),
    "a note was changed": (
        lambda feed: feed.notes.__setitem__(0, feed.notes[0].replace("\n10\n", "\n11\n", 1)),
        "signature",
    ),
    "a note is torn": (lambda feed: feed.notes.__setitem__(0, feed.notes[0][:20]), "malformed"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_log_that_contradicts_its_checkpoint_is_not_built_upon(kind: str) -> None:
    """Signing on would make the change official."""
    feed = Memory(10)
    rounds(engine_over(feed))
    spoil, reason = SPOILED[kind]
    spoil(feed)
    feed.add(1)

    with pytest.raises(Refused) as refused:
        rounds(engine_over(feed))

    assert refused.value.reason == reason
    assert len(feed.notes) == 1


def test_it_says_that_it_does_not_follow_and_goes_on_when_it_can() -> None:
    """Readiness that stays green while the checkpoints age is worse than none."""
    feed = Memory(3)
    engine = engine_over(feed)

    async def scene() -> list[str | None]:
        work = asyncio.create_task(engine.follow())
        await asyncio.sleep(0.05)
        said = [engine.why_not_ready()]
        feed.away = True
        feed.add(2)
        await asyncio.sleep(0.02)
        said.append(engine.why_not_ready())
        feed.away = False
        await asyncio.sleep(0.2)
        said.append(engine.why_not_ready())
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return said

    assert asyncio.run(scene()) == [None, "the database is away: gone", None]
    assert feed.replayed().proved == 5


@pytest.mark.parametrize(
    ("defect", "reason"),
    [("wrong-root", "root"), ("signs-with-another-key", "key"), ("checkpoints-unlinked", "order")],
)
def test_a_defective_engine_signs_what_a_replay_refuses(defect: str, reason: str) -> None:
    """A replay that agreed with all of these would agree with anything."""
    feed = Memory(3)
    with defective(defect):
        engine = engine_over(feed)
        rounds(engine)
        feed.add(2)
        rounds(engine)

    with pytest.raises(Refused) as refused:
        feed.replayed()
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("defect", "proved"),
    [("last-event-waits", 9), ("checkpoints-stop", 3), ("drains-slowly", 5)],
)
def test_a_slack_engine_leaves_events_unproved(defect: str, proved: int) -> None:
    """The backlog gauge and the drain objective live on this difference."""
    feed = Memory(3)
    with defective(defect):
        engine = engine_over(feed)
        rounds(engine)
        feed.add(7)
        rounds(engine, 3)

    assert feed.replayed().proved == proved


def test_a_gap_in_the_reader_is_a_root_that_nobody_else_finds() -> None:
    """The tree is then of other events than the log."""
    feed = Memory(5)
    with defective("reader-gap"):
        rounds(engine_over(feed))

    with pytest.raises(Refused, match=r"^root"):
        feed.replayed()


def test_a_trusting_engine_builds_upon_a_tampered_log() -> None:
    """The defect that the start-up check is for."""
    feed = Memory(10)
    rounds(engine_over(feed))
    feed.rows[4] = replace(feed.rows[4], body="x")
    feed.add(1)
    with defective("trusts-what-is-stored"):
        rounds(engine_over(feed))

    assert len(feed.notes) == 2


def test_the_proof_of_a_neighbour_is_no_proof() -> None:
    """It is a true proof of another event."""
    feed = Memory(10)
    engine = engine_over(feed)
    rounds(engine)
    with defective("proof-of-neighbour"):
        wrong = engine.proof(4)
    point = verify_note(feed.notes[-1], KEY.public_key(), ORIGIN)

    with pytest.raises(Refused, match=r"^proof"):
        verify_inclusion(wrong.leaf, 3, wrong.size, wrong.path, point.root)
