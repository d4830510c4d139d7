"""RBAC at the storage layer, asked without HTTP; and the memory driver's chain."""

from __future__ import annotations

import asyncio

import pytest

from proving_ground.ledger.chain import GENESIS, event_digest
from proving_ground.ledger.guarded import Guarded
from proving_ground.ledger.memory import MemoryStore
from proving_ground.ledger.roles import ROLES, Caller, Forbidden
from proving_ground.ledger.store import Conflicting

VERB = {"append": "append", "append_all": "append", "event": "read", "events": "read"}


def outcome(guarded: Guarded, act: str, caller: Caller, tenant: str) -> str:
    """``done``, or the reason of the refusal."""
    words = {"append": ("k", "x"), "append_all": ([("k", "x")],), "event": (1,), "events": (0, 9)}

    async def run() -> str:
        try:
            await getattr(guarded, act)(caller, tenant, *words[act])
        except Forbidden as err:
            return err.reason
        return "done"

    return asyncio.run(run())


@pytest.mark.parametrize("act", sorted(VERB))
@pytest.mark.parametrize("role", sorted(ROLES))
def test_storage_refuses_what_the_role_may_not(role: str, act: str) -> None:
    """A handler that forgot to ask is stopped here."""
    caller = Caller("s", "acme", frozenset({role}))

    wanted = "done" if VERB[act] in ROLES[role] else "wrong-role"
    assert outcome(Guarded(MemoryStore()), act, caller, "acme") == wanted


@pytest.mark.parametrize("act", sorted(VERB))
def test_storage_refuses_another_tenant(act: str) -> None:
    """Even to an admin, who is one of his tenant."""
    caller = Caller("s", "acme", frozenset({"admin"}))

    assert outcome(Guarded(MemoryStore()), act, caller, "other") == "wrong-tenant"


def test_memory_keeps_the_same_chain_as_the_database() -> None:
    """Two drivers, one product."""
    store = MemoryStore()

    async def run() -> None:
        first = await store.append("a", "k1", "x")
        second = await store.append("b", "k2", "y")
        again = await store.append("a", "k1", "x")
        conflict = await store.append("a", "k1", "z")

        assert first.digest == event_digest(GENESIS, 1, "a", "k1", "x")
        assert second.digest == event_digest(first.digest, 2, "b", "k2", "y")
        assert (again.outcome, again.seq) == ("same", 1)
        assert conflict.outcome == "conflict"
        assert await store.event("b", 1) is None
        with pytest.raises(Conflicting):
            await store.append_all("a", [("k3", "x"), ("k1", "z")])
        assert [event.key for event in await store.events("a", 0, 9)] == ["k1"]
        assert (await store.append("a", "k3", "x")).seq == 3

    asyncio.run(run())
