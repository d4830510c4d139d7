"""Schema migrations under load: ``migrate --dsn DSN up|down|show [--to REVISION]``.

A statement that changes a table waits for its readers, and everybody after it waits for it. So it
waits no longer than ``lock_timeout``, gives way, and tries again, a bounded number of times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from typing import Any

import psycopg

from proving_ground.ledger import defects
from proving_ground.ledger.migrations import HERE, trunk

_OWNER = "ledger_owner"
_LOCK_TIMEOUT_MS = 500
_TRIES = 20
_PAUSE_S = 0.25

# Whatever makes two schemas differ, in one order and without names that the server makes up.
_SCHEMA = """
SELECT 'column', table_name || '.' || column_name, data_type || ' ' || is_nullable || ' '
       || coalesce(column_default, '') FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL SELECT 'constraint', conrelid::regclass::text || '.' || conname,
       pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
       AND contype <> 'n' AND conrelid::regclass::text <> 'alembic_version'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
       WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p
       LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
       WHERE pronamespace = 'public'::regnamespace AND d.objid IS NULL
ORDER BY 1, 2, 3
"""


class Refused(Exception):
    """Why nothing was changed, in one line."""


def show(dsn: str) -> dict[str, Any]:
    """Revision and digest of the schema."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        known = conn.execute("SELECT to_regclass('public.alembic_version')").fetchone()
        ask = "SELECT version_num FROM alembic_version"
        row = conn.execute(ask).fetchone() if known and known[0] else None
        lines = conn.execute(_SCHEMA.encode()).fetchall()
    digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()
    return {"revision": row[0] if row else None, "digest": digest}


def migrate(
    dsn: str, way: str, to: str | None, lock_timeout_ms: int = _LOCK_TIMEOUT_MS
) -> dict[str, Any]:
    """Go there, whole or not at all.

    Returns:
        ``from``, ``to``, ``tries``, ``held_ms`` (the longest that others may have waited for the
        try which succeeded) and ``lost`` (values that a step down removes, by column).

    Raises:
        Refused: unknown target, wrong direction, or never a moment without a lock.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(HERE))
    known = {found.revision for found in ScriptDirectory.from_config(config).walk_revisions()}
    target = to or trunk()[-1]
    if target not in known:
        raise Refused(
            f"--to: there is no revision {target!r}; there are {', '.join(sorted(known))}"
        )
    before = show(dsn)["revision"]
    lost = _lost(dsn) if way == "down" else {}
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool
    )
    for tried in range(1, _TRIES + 1):
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"SET lock_timeout = {lock_timeout_ms:d}")
                if _has_owner(connection):
                    connection.exec_driver_sql(f"SET ROLE {_OWNER}")
                connection.commit()
                config.attributes["connection"] = connection
                began = time.monotonic()
                if way == "up" and defects.on("holds-its-lock"):
                    connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
                    time.sleep(0.6)
                (command.upgrade if way == "up" else command.downgrade)(config, target)
                if way == "down" and defects.on("leaves-column-behind"):
                    connection.exec_driver_sql("ALTER TABLE events ADD COLUMN left_behind text")
                connection.commit()
                held_ms = round((time.monotonic() - began) * 1000, 1)
            break
        except OperationalError as err:
            if "lock timeout" not in str(err) or tried == _TRIES:
                raise Refused(f"after {tried} tries: {str(err.orig).strip()}") from err
            time.sleep(_PAUSE_S)
    after = show(dsn)["revision"]
    if after != target:
        raise Refused(f"{way} from {before!r} leads to {after!r}, not to {target!r}")
    return {"from": before, "to": after, "tries": tried, "held_ms": held_ms, "lost": lost}


def _has_owner(connection: Any) -> bool:
    found = connection.exec_driver_sql(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(rolname, 'MEMBER')", (_OWNER,)
    )
    return found.first() is not None


def _lost(dsn: str) -> dict[str, int]:
    """Values in columns that only v2 has: what a step down declares lost."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        there = conn.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_name = 'events' AND column_name = 'source'"
        ).fetchone()
        row = conn.execute("SELECT count(source) FROM events").fetchone() if there else None
    return {"events.source": row[0]} if row else {}


def main(argv: list[str]) -> int:
    """One JSON object on standard output; exit 1 with the reason when nothing was changed."""
    parser = argparse.ArgumentParser(prog="migrate")
    parser.add_argument("--dsn", required=True)
    parser.add_argument("way", choices=("up", "down", "show"))
    parser.add_argument("--to")
    parser.add_argument("--lock-timeout-ms", type=int, default=_LOCK_TIMEOUT_MS)
    given = parser.parse_args(defects.take(argv, "migrate"))
    try:
        if given.way == "show":
            found = show(given.dsn)
        else:
            found = migrate(given.dsn, given.way, given.to, given.lock_timeout_ms)
    except (Refused, psycopg.Error) as err:
        print(f"migrate: {str(err).strip()}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0
