"""Each known defect breaks what its line says, and only a service that has it fails."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from proving_ground.lab import Lab
from proving_ground.ledger.defects import DEFECTS
from support.one_ledger import OneLedger, one_ledger, service_dsn

pytestmark = [pytest.mark.component, pytest.mark.full]
NOWHERE = "host=127.0.0.1 port=1 connect_timeout=1"
Lock = psycopg.Connection[Any]


def key() -> str:
    return uuid.uuid4().hex


def lives_without_database(ledger: OneLedger, _: Lock) -> bool:
    return ledger.get("/healthz").status_code == 200


def is_not_ready_without_database(ledger: OneLedger, _: Lock) -> bool:
    return ledger.get("/readyz").status_code == 503


def keeps_the_clients_id(ledger: OneLedger, _: Lock) -> bool:
    headers = {"x-request-id": "mine-1"}
    return ledger.get("/version", headers=headers).headers["x-request-id"] == "mine-1"


def turns_readiness_first(ledger: OneLedger, _: Lock) -> bool:
    ledger.process.terminate()
    time.sleep(0.4)
    return ledger.get("/in-service").status_code == 503


def finishes_what_it_began(ledger: OneLedger, holder: Lock) -> bool:
    answers: list[int] = []

    def write() -> None:
        try:
            answers.append(ledger.append(key()).status_code)
        except httpx.HTTPError:
            answers.append(0)

    holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.4)
    ledger.process.terminate()
    time.sleep(0.2)
    holder.rollback()
    writer.join(10)
    return answers == [201]


def follows_the_slot(ledger: OneLedger, _: Lock) -> bool:
    return ledger.get("/in-service").status_code == 503


def says_its_version(ledger: OneLedger, _: Lock) -> bool:
    return ledger.get("/version").headers["x-ledger-version"] == "v2"


def prefixes_its_keys(ledger: OneLedger, _: Lock) -> bool:
    path = f"/v1/t/events/{ledger.append(key()).json()['seq']}"
    with_cache = [ledger.get(path) for _ in range(2)]
    other = {**SETTINGS["cache"], "version": "v2"}
    with one_ledger(ledger.log.with_name("other.log"), *BROKEN, **other) as second:
        seen = second.get(path).headers["x-cache"]
    return [got.headers["x-cache"] for got in with_cache] == ["miss", "hit"] and seen == "miss"


def keeps_tenants_apart(ledger: OneLedger, _: Lock) -> bool:
    seq = ledger.append(key()).json()["seq"]
    assert ledger.get(f"/v1/t/events/{seq}").status_code == 200
    return ledger.get(f"/v1/other/events/{seq}").status_code == 404


def answers_without_cache(ledger: OneLedger, _: Lock) -> bool:
    seq = ledger.append(key()).json()["seq"]
    return ledger.get(f"/v1/t/events/{seq}").status_code == 200


def refuses_soon(ledger: OneLedger, holder: Lock) -> bool:
    holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
    first = threading.Thread(target=ledger.append, args=(key(),))
    first.start()
    time.sleep(0.3)
    began = time.monotonic()
    try:
        refused = ledger.post("/v1/t/events", json={"key": key(), "body": "x"}, timeout=1)
        soon = refused.json().get("code") == "pool-exhausted" and time.monotonic() - began < 1
    except httpx.TimeoutException:
        soon = False
    holder.rollback()
    first.join(10)
    return soon


def recovers_by_itself(ledger: OneLedger, holder: Lock) -> bool:
    holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
    refused = ledger.append(key()).status_code
    holder.rollback()
    time.sleep(1)
    return (refused, ledger.append(key()).status_code) == (503, 201)


def logs_errors_only(ledger: OneLedger, _: Lock) -> bool:
    ledger.append(key())
    time.sleep(0.3)
    return ledger.log.read_text("utf-8") == ""


def keeps_bodies_to_itself(ledger: OneLedger, _: Lock) -> bool:
    ledger.append(key(), body="hush-hush")
    time.sleep(0.3)
    return bool(ledger.lines()) and "hush-hush" not in ledger.log.read_text("utf-8")


SETTINGS: dict[str, dict[str, str]] = {"cache": {}}  # filled by the fixture below
BROKEN: list[str] = []
CASES: dict[str, tuple[Callable[[OneLedger, Lock], bool], dict[str, str]]] = {
    "alive-needs-database": (lives_without_database, {"dsn": NOWHERE}),
    "ready-without-database": (is_not_ready_without_database, {"dsn": NOWHERE}),
    "no-request-id": (keeps_the_clients_id, {}),
    "ready-while-draining": (turns_readiness_first, {"drain_ms": "2000"}),
    "drops-requests-on-shutdown": (finishes_what_it_began, {}),
    "ignores-slot": (follows_the_slot, {"slot": "/nowhere/slot"}),
    "hides-version": (says_its_version, {"version": "v2"}),
    "shared-cache-keys": (prefixes_its_keys, {"cache": "yes"}),
    "cache-without-tenant": (keeps_tenants_apart, {"cache": "yes"}),
    "cache-outage-is-fatal": (answers_without_cache, {"cache_url": "redis://127.0.0.1:1/0"}),
    "pool-without-bound": (refuses_soon, {"pool_size": "1"}),
    "pool-leaks": (recovers_by_itself, {"pool_size": "1"}),
    "log-level-ignored": (logs_errors_only, {"log_level": "error"}),
    "logs-bodies": (keeps_bodies_to_itself, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_defect_is_seen_and_its_absence_too(
    lab: Lab, components: dict[str, Any], tmp_path: Path, name: str
) -> None:
    """A drill that goes red for nothing and one that stays green for all are worth the same."""
    look, wanted = CASES[name]
    store = components["cache-store"]
    cache = {"cache_url": store["url"], "cache_password_file": store["password-file"]}
    settings = {"dsn": service_dsn(lab), **wanted}
    if settings.pop("cache", None):
        settings |= cache
    SETTINGS["cache"] = settings
    good = {}
    for defects in ((), (name,)):
        BROKEN[:] = defects
        log = tmp_path / f"{len(defects)}.log"
        with (
            psycopg.connect(components["ledger-db"]["admin-dsn"]) as holder,
            one_ledger(log, *defects, **settings) as ledger,
        ):
            good[defects] = look(ledger, holder)

    assert good == {(): True, (name,): False}


def test_every_defect_of_these_files_has_a_case() -> None:
    """Those of authentication and of proofs have their tests beside those features."""
    assert set(CASES) <= set(DEFECTS)
