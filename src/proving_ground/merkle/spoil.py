"""Known-bad copies of a log: what a replay must refuse, and for which reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.merkle.log import LoggedEvent, LoggedNote, StoredLog
from proving_ground.merkle.note import parse_note, sign_note
from proving_ground.merkle.refusal import Reason


def _altered(log: StoredLog) -> StoredLog:
    """One body changed, everything else left."""
    return _with_body(log, "altered")


def _rewritten(log: StoredLog) -> StoredLog:
    """One body changed and every digest after it made to fit: only the tree can tell."""
    digest, events = GENESIS, []
    for event in _with_body(log, "rewritten").events:
        digest = event_digest(digest, event.seq, event.tenant, event.key, event.body)
        events.append(replace(event, digest=digest))
    return StoredLog(events, log.notes)


def _with_body(log: StoredLog, body: str) -> StoredLog:
    middle = parse_note(log.notes[-1].note).size // 2
    events = list(log.events)
    events[middle] = replace(events[middle], body=events[middle].body + body)
    return StoredLog(events, log.notes)


def _truncated(log: StoredLog) -> StoredLog:
    """The newest events that a checkpoint covers are gone."""
    return StoredLog(log.events[: parse_note(log.notes[-1].note).size - 1], log.notes)


def _cut_clean(log: StoredLog) -> StoredLog:
    """The newest checkpoint is gone, and every event that only it covered with it."""
    notes = log.notes[:-1]
    size = parse_note(notes[-1].note).size if notes else 0
    return StoredLog(log.events[:size], notes)


def _reordered_events(log: StoredLog) -> StoredLog:
    """Two neighbours swapped."""
    first, second, *rest = log.events
    return StoredLog([second, first, *rest], log.notes)


def _renumbered(log: StoredLog) -> StoredLog:
    """Two neighbours swapped, numbers left in order."""
    first, second, *rest = log.events
    events: list[LoggedEvent] = [replace(second, seq=first.seq), replace(first, seq=second.seq)]
    return StoredLog([*events, *rest], log.notes)


def _reordered_checkpoints(log: StoredLog) -> StoredLog:
    """Two neighbours swapped, stored under each other's number."""
    first, second, *rest = log.notes
    notes = [LoggedNote(first.number, second.note), LoggedNote(second.number, first.note), *rest]
    return StoredLog(log.events, notes)


def _missing_checkpoint(log: StoredLog) -> StoredLog:
    """One taken out, the others moved up."""
    return StoredLog(
        log.events, [LoggedNote(n, note.note) for n, note in enumerate(log.notes[1:], start=1)]
    )


def _forged(log: StoredLog) -> StoredLog:
    """The newest checkpoint states another root under the signature it had."""
    stored = log.notes[-1]
    point = parse_note(stored.note)
    body = replace(point, root=bytes(reversed(point.root))).body()
    return _with_last(log, body + stored.note[len(point.body()) :])


def _foreign(log: StoredLog) -> StoredLog:
    """The newest checkpoint is signed, by a key that nobody trusts."""
    point = parse_note(log.notes[-1].note)
    return _with_last(log, sign_note(point, Ed25519PrivateKey.generate()))


def _torn(log: StoredLog) -> StoredLog:
    """The newest checkpoint ends in the middle."""
    note = log.notes[-1].note
    return _with_last(log, note[: len(note) // 2])


def _with_last(log: StoredLog, note: str) -> StoredLog:
    return StoredLog(log.events, [*log.notes[:-1], LoggedNote(log.notes[-1].number, note)])


def spoil(log: StoredLog, kind: str) -> StoredLog:
    """A copy of the log, spoiled that way.

    Raises:
        ValueError: the log is too short to be spoiled.
    """
    if len(log.events) < 2 or len(log.notes) < 2 or parse_note(log.notes[0].note).size < 1:
        raise ValueError("expected two events and two checkpoints or more to spoil")
    return SPOILS[kind][0](log)


SPOILS: dict[str, tuple[Callable[[StoredLog], StoredLog], Reason]] = {
    "altered-body": (_altered, "altered"),
    "rewritten-history": (_rewritten, "root"),
    "truncated": (_truncated, "truncated"),
    "cut-clean": (_cut_clean, "truncated"),  # noticed by who remembers a checkpoint
    "reordered-events": (_reordered_events, "order"),
    "renumbered-events": (_renumbered, "altered"),
    "reordered-checkpoints": (_reordered_checkpoints, "order"),
    "missing-checkpoint": (_missing_checkpoint, "order"),
    "forged-checkpoint": (_forged, "signature"),
    "foreign-key": (_foreign, "key"),
    "torn-checkpoint": (_torn, "malformed"),
}
"""Name: how the copy is spoiled, and the one reason that its replay must give."""
