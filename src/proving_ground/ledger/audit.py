"""The audit log: append-only, each entry hashed together with the one before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, dataclass
from typing import Protocol

from proving_ground.ledger import defects

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Happening:
    """What is worth remembering. ``tenant`` is the one asked for when no caller was believed."""

    event: str  # refused | admin
    reason: str
    tenant: str
    subject: str
    request_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A happening in its place."""

    seq: int
    at: str
    event: str
    reason: str
    tenant: str
    subject: str
    request_id: str
    detail: str
    digest: str


class AuditTampered(Exception):
    """The log is not what was written."""


class AuditLog(Protocol):
    """Somewhere entries are kept; both kinds hash the same way."""

    async def record(self, happening: Happening) -> Entry: ...

    async def entries(self, tenant: str, after: int, limit: int) -> list[Entry]: ...


def entry_digest(previous: str, seq: int, texts: Iterable[str]) -> str:
    """Hex sha256 over ``PREVIOUS SP SEQ SP`` and the texts as netstrings without commas.

    Lengths count UTF-8 bytes, so that no two different entries share one encoding.
    """
    packed = "".join(f"{len(text.encode())}:{text}" for text in texts)
    return hashlib.sha256(f"{previous} {seq} {packed}".encode()).hexdigest()


def verify_chain(entries: Iterable[Entry], *, head: tuple[int, str] | None = None) -> str:
    """Digest of the last entry, when every one follows from the one before.

    Args:
        entries: all of them, oldest first.
        head: number and digest of an entry seen earlier elsewhere, for instance in the service's
            own log: without it, entries cut off at the end leave no trace.

    Raises:
        AuditTampered: with the first entry that does not fit.
    """
    previous, number, seen = GENESIS, 0, head is None
    for entry in entries:
        number += 1
        if entry.seq != number:
            raise AuditTampered(f"entry {number} is missing; entry {entry.seq} stands in its place")
        fits = entry.digest == entry_digest(previous, entry.seq, _texts(entry))
        if not fits and not defects.on("audit-digests-unread"):
            raise AuditTampered(f"entry {entry.seq} was changed, or one before it")
        previous = entry.digest
        if head is not None and entry.seq == head[0]:
            if entry.digest != head[1]:
                raise AuditTampered(f"entry {entry.seq} is not the one that was seen earlier")
            seen = True
    if not seen and head is not None:
        raise AuditTampered(f"the log ends at entry {number}; entry {head[0]} was seen earlier")
    return previous


def _texts(entry: Entry) -> tuple[str, ...]:
    return tuple(str(text) for text in astuple(entry)[1:-1])


class MemoryAudit:
    """Lives as long as the process: for the memory driver, and said so by its name."""

    def __init__(self, now: Callable[[], str]) -> None:
        self._now = now
        self._entries: list[Entry] = []
        self._one_at_a_time = asyncio.Lock()

    async def record(self, happening: Happening) -> Entry:
        async with self._one_at_a_time:
            previous = self._entries[-1].digest if self._entries else GENESIS
            seq = len(self._entries) + 1
            at = self._now()
            digest = entry_digest(previous, seq, (at, *astuple(happening)))
            entry = Entry(seq, at, **asdict(happening), digest=digest)
            self._entries.append(entry)
            return entry

    async def entries(self, tenant: str, after: int, limit: int) -> list[Entry]:
        found = (each for each in self._entries if each.tenant == tenant and each.seq > after)
        return [each for _, each in zip(range(limit), found, strict=False)]
