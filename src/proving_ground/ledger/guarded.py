"""The only way from a request to a storage driver: what the caller may do is asked here too."""

from __future__ import annotations

import asyncio
from typing import Protocol

from proving_ground.ledger import defects
from proving_ground.ledger.roles import Caller, Forbidden
from proving_ground.ledger.store import Appended, Event


class Driver(Protocol):
    """Where events are kept."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ready(self) -> int: ...

    async def revision(self) -> str | None: ...

    async def append(self, tenant: str, key: str, body: str) -> Appended: ...

    async def append_all(self, tenant: str, events: list[tuple[str, str]]) -> list[Appended]: ...

    async def event(self, tenant: str, seq: int) -> Event | None: ...

    async def events(self, tenant: str, after: int, limit: int) -> list[Event]: ...

    async def event_of_anybody(self, seq: int) -> Event | None: ...


class Guarded:
    """A driver as one caller may use it. A handler that forgot to check cannot do harm here."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def append(self, caller: Caller, tenant: str, key: str, body: str) -> Appended:
        """As the driver's, for a caller who may write there.

        Raises:
            Forbidden: wrong-role or wrong-tenant.
        """
        return await self._driver.append(allowed(caller, "append", tenant), key, body)

    async def append_all(
        self, caller: Caller, tenant: str, events: list[tuple[str, str]]
    ) -> list[Appended]:
        """All of them or, when one conflicts, none."""
        if not defects.on("batch-unguarded"):
            tenant = allowed(caller, "append", tenant)
        return await self._driver.append_all(tenant, events)

    async def event(self, caller: Caller, tenant: str, seq: int) -> Event | None:
        """The tenant's event of that number."""
        tenant = allowed(caller, "read", tenant)
        if defects.on("read-across-tenants"):
            return await self._driver.event_of_anybody(seq)
        found = await self._driver.event(tenant, seq)
        if found is None and defects.on("refusal-tells-by-time"):
            await asyncio.sleep(0.05 * (await self._driver.event_of_anybody(seq) is not None))
        return found

    async def events(self, caller: Caller, tenant: str, after: int, limit: int) -> list[Event]:
        """The tenant's events after that number, oldest first."""
        return await self._driver.events(allowed(caller, "read", tenant), after, limit)


def allowed(caller: Caller, verb: str, tenant: str) -> str:
    """The tenant whose data the caller may now use.

    Raises:
        Forbidden: wrong-role or wrong-tenant.
    """
    if not caller.may(verb) and not defects.on("skip-role-check"):
        raise Forbidden("wrong-role", f"none of the roles {sorted(caller.roles)} may {verb}")
    if tenant != caller.tenant:
        raise Forbidden("wrong-tenant", "the token is for another tenant")
    return tenant
