"""Rebuild the tree from the stored bodies and compare it with every checkpoint ever signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proving_ground.ledger import defects
from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.log import StoredLog
from proving_ground.merkle.note import FIRST, Checkpoint, note_digest, verify_note
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.tree import Tree


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the log comes to; two replays of one log are equal in all of it."""

    events: int
    checkpoints: int
    proved: int  # events that the newest checkpoint covers
    root: str  # over every event, hex
    last_digest: str  # of the chain of events
    last_note: str  # sha256 of the newest checkpoint
    state: str  # sha256 over all of the above: one value to compare


def replay(
    log: StoredLog, key: Ed25519PublicKey, origin: str, known: Sequence[str] = ()
) -> Replayed:
    """Recompute the log from its bodies.

    Args:
        log: as stored.
        key: the only one whose checkpoints are believed.
        origin: name of the log.
        known: checkpoints seen elsewhere (by a client, before a disaster). Each must still be
            there: a log that was cut short together with its checkpoints betrays itself only so.

    Raises:
        Refused: the first thing that does not agree.
    """
    tree, digest = _rebuilt(log)
    last, notes = _checked(log, tree, key, origin)
    for note in () if defects.on("known-unread") else known:
        seen = verify_note(note, key, origin)
        if seen.number > len(log.notes):
            raise Refused("truncated", f"checkpoint {seen.number} of size {seen.size} is gone")
        if note_digest(note) not in notes:
            raise Refused("root", f"another checkpoint {seen.number} was signed and seen before")
    size = last.size if last else 0
    facts = (
        len(log.events),
        len(log.notes),
        size,
        tree.root().hex(),
        digest,
        note_digest(log.notes[-1].note) if log.notes else FIRST,
    )
    state = hashlib.sha256(" ".join(map(str, facts)).encode()).hexdigest()
    return Replayed(*facts, state)


def _rebuilt(log: StoredLog) -> tuple[Tree, str]:
    """The tree over all events, each in its place and with the digest it was given."""
    tree, digest = Tree(), GENESIS
    for place, event in enumerate(log.events, start=1):
        if event.seq != place:
            raise Refused("order", f"expected event {place}, got {event.seq}")
        digest = event_digest(digest, event.seq, event.tenant, event.key, event.body)
        if event.digest != digest:
            raise Refused("altered", f"event {place} does not have the digest it was given")
        tree.append(leaf_hash(event.seq, event.tenant, event.key, event.body))
    return tree, digest


def _checked(
    log: StoredLog, tree: Tree, key: Ed25519PublicKey, origin: str
) -> tuple[Checkpoint | None, set[str]]:
    """The newest checkpoint and the digests of all, each signed, in its place and of the tree."""
    last: Checkpoint | None = None
    previous = FIRST
    digests: set[str] = set()
    for place, stored in enumerate(log.notes, start=1):
        point = verify_note(stored.note, key, origin)
        if not place == stored.number == point.number:
            raise Refused(
                "order", f"expected checkpoint {place}, got {point.number} as {stored.number}"
            )
        if point.previous != previous:
            raise Refused("order", f"checkpoint {place} does not follow the one before")
        if last and point.size <= last.size:
            raise Refused("order", f"checkpoint {place} is of size {point.size} after {last.size}")
        if point.size > tree.size:
            raise Refused(
                "truncated",
                f"checkpoint {place} covers {point.size} events and {tree.size} are there",
            )
        if point.root != tree.root(point.size):
            raise Refused("root", f"the first {point.size} events have another root")
        last, previous = point, note_digest(stored.note)
        digests.add(previous)
    return last, digests
