"""The audit chain: what a changed, missing or cut log looks like."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proving_ground.ledger.audit import AuditTampered, Entry, Happening, MemoryAudit, verify_chain


def log(count: int = 5) -> list[Entry]:
    audit = MemoryAudit(lambda: "2026-01-01T00:00:00Z")

    async def fill() -> list[Entry]:
        return [
            await audit.record(Happening("refused", "expired", "acme", "", f"r{n}"))
            for n in range(count)
        ]

    return asyncio.run(fill())


def test_a_log_as_it_was_written_is_whole() -> None:
    """The verifier must be able to say yes."""
    entries = log()

    assert verify_chain(entries, head=(3, entries[2].digest)) == entries[-1].digest


@pytest.mark.parametrize("name", ["at", "event", "reason", "tenant", "subject", "request_id"])
def test_a_changed_entry_is_named(name: str) -> None:
    """Each field is part of what was hashed."""
    entries = log()
    changed: dict[str, Any] = {name: "another"}
    entries[2] = replace(entries[2], **changed)

    with pytest.raises(AuditTampered, match="entry 3 was changed"):
        verify_chain(entries)


def test_a_missing_entry_is_named() -> None:
    """Removing one is the simplest lie."""
    entries = log()
    del entries[2]

    with pytest.raises(AuditTampered, match="entry 3 is missing"):
        verify_chain(entries)


def test_a_log_cut_at_its_end_is_noticed_by_who_saw_a_later_entry() -> None:
    """The chain alone cannot know; the service's own log does."""
    entries = log()

    assert verify_chain(entries[:3])
    with pytest.raises(AuditTampered, match="entry 5 was seen earlier"):
        verify_chain(entries[:3], head=(5, entries[4].digest))


def test_a_log_written_anew_is_noticed_by_who_saw_the_old_one() -> None:
    """Somebody who may write everything can make a chain that fits."""
    entries, others = log(), log()
    others[4] = replace(others[4], digest="0" * 64)

    with pytest.raises(AuditTampered):
        verify_chain(entries, head=(5, others[4].digest))
