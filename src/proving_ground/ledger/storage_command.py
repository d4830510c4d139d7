"""``storage [--dsn-file FILE]``: every role at every verb of the storage drivers, without a route.

Nothing of the HTTP face takes part: what is told here is what a handler that forgot to ask would
meet. One JSON line: by driver, by ``ROLE VERB own|other``, ``answered`` or the refusal's reason;
and how many events were stored though it was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from proving_ground.ledger import defects
from proving_ground.ledger.guarded import Driver, Guarded
from proving_ground.ledger.memory import MemoryStore
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.roles import ROLES, Caller, Forbidden
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Store

_PAGE = 100
Verb = Callable[[Caller, str], Awaitable[object]]


def main(argv: list[str]) -> int:
    """0 when every driver could be asked, whatever it said."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground storage")
    parser.add_argument("--dsn-file", type=Path, help="a ledger's database; else memory alone")
    args = parser.parse_args(defects.take(argv, "storage"))
    drivers: dict[str, Driver] = {"memory": MemoryStore()}
    if args.dsn_file:
        settings = Settings(dsn=args.dsn_file.read_text("utf-8").strip())
        drivers["postgres"] = Store(settings, Meters())
    print(json.dumps(asyncio.run(_ask_all(drivers))))
    return 0


async def _ask_all(drivers: dict[str, Driver]) -> dict[str, dict[str, str]]:
    return {name: await _ask(driver) for name, driver in drivers.items()}


async def _ask(driver: Driver) -> dict[str, str]:
    await driver.open()
    try:
        return await _matrix(driver)
    finally:
        await driver.close()


async def _matrix(driver: Driver) -> dict[str, str]:
    """What each role was told, in its own tenant and in another."""
    guarded, mark = Guarded(driver), uuid.uuid4().hex[:10]
    places = {"own": f"own-{mark}", "other": f"other-{mark}"}
    seq = {place: (await driver.append(place, "first", "")).seq for place in places.values()}
    verbs: dict[str, Verb] = {
        "append": lambda caller, to: guarded.append(caller, to, uuid.uuid4().hex, ""),
        "batch": lambda caller, to: guarded.append_all(caller, to, [(uuid.uuid4().hex, "")]),
        "read": lambda caller, to: guarded.event(caller, to, seq[to]),
        "list": lambda caller, to: guarded.events(caller, to, 0, _PAGE),
    }
    found: dict[str, str] = {}
    written = dict.fromkeys(places, 1)
    for role in ROLES:
        caller = Caller("somebody", places["own"], frozenset({role}))
        for verb, do in verbs.items():
            for where, tenant in places.items():
                try:
                    await do(caller, tenant)
                    said = "answered"
                except Forbidden as err:
                    said = err.reason
                found[f"{role} {verb} {where}"] = said
                written[where] += said == "answered" and verb in ("append", "batch")
    stored = {where: len(await driver.events(tenant, 0, _PAGE)) for where, tenant in places.items()}
    found["stored though refused"] = str(sum(stored.values()) - sum(written.values()))
    return found
