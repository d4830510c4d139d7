"""The schema by two ways, and a migration that gives way to who holds a lock."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from proving_ground.lab import Lab
from proving_ground.ledger.migrate import Refused, migrate, show
from proving_ground.ledger.migrations import trunk

pytestmark = pytest.mark.component


def test_alembic_makes_the_schema_that_the_lab_is_provisioned_with(
    components: dict[str, Any],
) -> None:
    """The fast way must not drift from the one that people migrate with."""
    admin = components["ledger-db"]["admin-dsn"]
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("CREATE DATABASE migrated")
    dsn = admin.replace("dbname=ledger", "dbname=migrated")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("GRANT ALL ON SCHEMA public TO ledger_owner")
    up = migrate(dsn, "up", None)
    made = show(dsn)

    assert up["to"] == trunk()[-1]
    assert made == show(admin)


@pytest.mark.full
def test_a_migration_gives_way_and_tries_again(lab: Lab, components: dict[str, Any]) -> None:
    """A queue behind a waiting ALTER TABLE is an outage that no dashboard explains."""
    admin = components["ledger-db"]["admin-dsn"]
    holder = psycopg.connect(admin)
    holder.execute("SELECT count(*) FROM events")
    holder.execute("LOCK TABLE events IN ACCESS SHARE MODE")
    release = threading.Timer(1.2, holder.close)
    release.start()
    began = time.monotonic()
    try:
        up = migrate(admin, "up", "v2_source", lock_timeout_ms=100)
        took_s = time.monotonic() - began
    finally:
        release.join()
        down = migrate(admin, "down", None)

    assert up["tries"] > 1
    assert took_s > 1
    assert up["held_ms"] < 1000
    assert down["to"] == trunk()[-1]


def test_an_unknown_revision_is_refused_with_those_there_are(components: dict[str, Any]) -> None:
    """Before anything is locked."""
    with pytest.raises(Refused, match="v2_source"):
        migrate(components["ledger-db"]["admin-dsn"], "up", "v2_sauce")
