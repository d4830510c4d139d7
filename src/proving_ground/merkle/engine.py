"""Follows the events, signs what it has seen, and answers from what it has signed."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import CollectorRegistry, Counter, Gauge

from fireproof.clock import utc_label
from proving_ground.ledger import defects
from proving_ground.merkle.feed import BATCH_EVENTS, Away, Feed
from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.note import FIRST, Checkpoint, note_digest, sign_note, verify_note
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.tree import Tree

READY_WITHIN_S = 1.0  # a round that is older says that the database is away
_PAUSE_AFTER_FAILURE_S = 0.05

logger = logging.getLogger("ledger")


class NotCovered(Exception):
    """No checkpoint covers what was asked for."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That an event is in the tree of the newest checkpoint."""

    index: int
    size: int
    leaf: bytes
    path: list[bytes]
    checkpoint: str


class EngineMeters:
    """What the engine shows of its work."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.size = Gauge("engine_size", "events in the tree", registry=self.registry)
        self.signed = Gauge(
            "engine_checkpoint_size", "events below the newest checkpoint", registry=self.registry
        )
        self.checkpoints = Counter(
            "engine_checkpoints", "checkpoints signed and stored", registry=self.registry
        )
        self.failures = Counter(
            "engine_failed_rounds", "rounds that the database ended", registry=self.registry
        )
        self.rebuilds = Counter(
            "engine_rebuilds", "times that the tree was built from nothing", registry=self.registry
        )
        self.refused = Gauge(
            "engine_refused", "1: what is stored contradicts a checkpoint", registry=self.registry
        )


class Engine:
    """One tree over all events of the ledger."""

    def __init__(
        self, feed: Feed, key: Ed25519PrivateKey, origin: str, every_s: float, meters: EngineMeters
    ) -> None:
        self._feed, self._key, self.origin, self._every_s = feed, key, origin, every_s
        self._meters = meters
        self.public_key = key.public_key()
        if defects.on("signs-with-another-key"):
            self._key = Ed25519PrivateKey.generate()
        self._tree, self._read = Tree(), 0
        self._newest: Checkpoint | None = None
        self._note: str | None = None
        self._good_at = float("-inf")
        self._why_not = "no round is done yet"

    # -- asked by clients

    @property
    def note(self) -> str | None:
        """The newest checkpoint, which is durable."""
        return self._note

    def why_not_ready(self) -> str | None:
        """Why the newest checkpoint may be stale; None when it is not."""
        age_s = time.monotonic() - self._good_at
        return None if age_s < READY_WITHIN_S else self._why_not

    def proof(self, seq: int) -> Proof:
        """That event ``seq`` is below the newest checkpoint.

        Raises:
            NotCovered: it is not.
        """
        point, note = self._newest, self._note
        if point is None or note is None or not 0 < seq <= point.size:
            size = point.size if point else 0
            raise NotCovered(f"event {seq} is in no checkpoint yet; the newest covers {size}")
        index = seq - 1
        if defects.on("proof-of-neighbour") and seq % 64 == 4:
            index = (index + 1) % point.size
        leaf, path = self._tree.leaf(index), self._tree.inclusion(index, point.size)
        return Proof(seq - 1, point.size, leaf, path, note)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """That the tree of one size begins that of another.

        Raises:
            NotCovered: a size that no checkpoint covers.
        """
        size = self._newest.size if self._newest else 0
        if not 0 < old <= new <= size:
            raise NotCovered(f"expected 0 < old <= new <= {size}, got {old} and {new}")
        return self._tree.consistency(old, new)

    # -- the work

    async def follow(self) -> None:
        """Work until cancelled. What fails is tried again; what is contradicted is not."""
        while True:
            try:
                more = await self.round()
            except Away as err:
                self._meters.failures.inc()
                self._turn(f"the database is away: {err}")
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_S)
            except Refused as err:
                self._meters.refused.set(1)
                self._turn(f"the stored log is refused: {err}")
                await asyncio.sleep(1.0)
            else:
                self._meters.refused.set(0)
                await asyncio.sleep(0 if more else self._every_s)

    async def round(self) -> bool:
        """Read on, sign, store, publish; whether there is more to read at once.

        Raises:
            Away: nothing is lost; the next round finds out what is stored.
            Refused: what is stored is not what was signed.
        """
        stored = await self._feed.newest_note()
        if stored != self._note or self._good_at < 0:
            await self._rebuild(stored)
        more = await self._read_on()
        if self._tree.size > (self._newest.size if self._newest else 0):
            await self._sign()
        self._good_at, self._why_not = time.monotonic(), "no round for a while"
        return more

    async def _rebuild(self, stored: str | None) -> None:
        """Start from what is stored: at the start, after a restore, after a doubtful commit."""
        self._meters.rebuilds.inc()
        point = verify_note(stored, self.public_key, self.origin) if stored else None
        if self._newest and (point is None or point.number < self._newest.number):
            before, now = self._newest.number, point.number if point else 0
            detail = f"checkpoint {before} was signed and {now} is the newest stored"
            logger.error("the log went back", extra={"detail": detail})
        self._tree, self._read = Tree(), 0
        while await self._read_on():
            pass
        if point and not defects.on("trusts-what-is-stored"):
            if point.size > self._tree.size:
                detail = f"{point.size} events are signed and {self._tree.size} are there"
                raise Refused("truncated", detail)
            if point.root != self._tree.root(point.size):
                raise Refused("root", f"the first {point.size} events have another root")
        self._newest, self._note = point, stored
        self._meters.signed.set(point.size if point else 0)

    async def _read_on(self) -> bool:
        limit = 1 if defects.on("drains-slowly") else BATCH_EVENTS
        rows = await self._feed.after(self._read, limit)
        if defects.on("last-event-waits"):
            rows = rows[:-1]
        for place, row in enumerate(rows):
            if row.seq != self._read + 1:
                raise Refused("order", f"event {self._read + 1} is missing before {row.seq}")
            self._read = row.seq
            if defects.on("reader-gap") and place == 1:
                continue
            self._tree.append(leaf_hash(row.seq, row.tenant, row.key, row.body))
        self._meters.size.set(self._tree.size)
        return len(rows) == BATCH_EVENTS

    async def _sign(self) -> None:
        if defects.on("checkpoints-stop") and self._newest:
            return
        number = self._newest.number + 1 if self._newest else 1
        previous = note_digest(self._note) if self._note else FIRST
        root = self._tree.root()
        point = Checkpoint(self.origin, self._tree.size, root, number, previous, utc_label())
        if defects.on("wrong-root"):
            point = replace(point, root=bytes(reversed(root)))
        if defects.on("checkpoints-unlinked"):
            point = replace(point, previous=FIRST)
        note = sign_note(point, self._key)
        if defects.on("checkpoint-before-commit"):
            self._publish(point, note)
            await asyncio.sleep(1.0)
        await self._feed.store(number, point.size, note)
        self._publish(point, note)
        self._meters.checkpoints.inc()

    def _publish(self, point: Checkpoint, note: str) -> None:
        self._newest, self._note = point, note
        self._meters.signed.set(point.size)
        # From now on somebody may have seen it; a drill holds the log against what is stored.
        detail = f"{point.number} {note_digest(note)}"
        logger.info("checkpoint shown", extra={"detail": detail})

    def _turn(self, why: str) -> None:
        if why != self._why_not:
            logger.warning("not following", extra={"detail": why})
        self._good_at, self._why_not = float("-inf"), why
