"""Logs as the ledger and the engine would have stored them."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.log import LoggedEvent, LoggedNote, StoredLog
from proving_ground.merkle.note import FIRST, ORIGIN, Checkpoint, note_digest, sign_note
from proving_ground.merkle.tree import Tree

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def stored_log(bodies: Sequence[str], sizes: Sequence[int]) -> StoredLog:
    """One event a body, one checkpoint a size, signed by ``KEY``."""
    tree, digest, events = Tree(), GENESIS, []
    for seq, body in enumerate(bodies, start=1):
        tenant, key = f"tenant-{seq % 3}", f"key-{seq}"
        digest = event_digest(digest, seq, tenant, key, body)
        events.append(LoggedEvent(seq, tenant, key, body, digest))
        tree.append(leaf_hash(seq, tenant, key, body))
    notes: list[LoggedNote] = []
    previous = FIRST
    for number, size in enumerate(sizes, start=1):
        at = f"2026-01-01T00:00:{number % 60:02}.000Z"
        point = Checkpoint(ORIGIN, size, tree.root(size), number, previous, at)
        notes.append(LoggedNote(number, sign_note(point, KEY)))
        previous = note_digest(notes[-1].note)
    return StoredLog(events, notes)
