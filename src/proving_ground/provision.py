"""What the ledger needs inside a fresh database: roles, tables, rows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from proving_ground.ledger import defects, migrations

_GRANTS: dict[str, tuple[LiteralString, ...]] = {
    # The service appends through the function alone and can change nothing.
    "ledger": (
        "GRANT SELECT ON events, alembic_version, audit, checkpoints TO ledger",
        "GRANT EXECUTE ON FUNCTION append_event, append_events, append_audit TO ledger",
    ),
    "engine": (
        "GRANT SELECT ON events TO engine",
        "GRANT SELECT, INSERT ON checkpoints TO engine",
    ),
    "marks": (
        "GRANT SELECT ON events TO marks",
        "GRANT SELECT, INSERT, UPDATE ON restore_points TO marks",
        "GRANT EXECUTE ON FUNCTION pg_create_restore_point TO marks",
        "ALTER ROLE marks SET log_min_error_statement = 'panic'",  # or each point logs its SQL
    ),
    "reader": ("GRANT pg_read_all_data, pg_monitor TO reader",),
    "backup": ("ALTER ROLE backup REPLICATION",),
}
ROLES = tuple(_GRANTS)


def _text(name: str) -> str:
    return files("proving_ground.ledger").joinpath(name).read_text("utf-8")


def provision(admin: str, passwords: Mapping[str, str], scale: int) -> None:
    """Roles, schema and accounts in the database ``ledger`` of a fresh cluster.

    Args:
        admin: DSN of the superuser, any database.
        passwords: of each of ``ROLES``; they travel as SCRAM verifiers, never as text.
        scale: units of about 40 MB.
    """
    with psycopg.connect(admin, autocommit=True, dbname="postgres") as conn:
        conn.execute("CREATE DATABASE ledger")
    with psycopg.connect(admin, autocommit=True, dbname="ledger") as conn:
        conn.execute("CREATE ROLE ledger_owner NOLOGIN")
        conn.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        conn.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        conn.execute("GRANT ALL ON SCHEMA public TO ledger_owner")
        conn.execute("CREATE EXTENSION amcheck")  # for pg_amcheck after each restore
        conn.execute("SET ROLE ledger_owner")
        _tables(conn, scale)
        conn.execute("RESET ROLE")
        conn.execute("REVOKE EXECUTE ON FUNCTION append_event FROM PUBLIC")
        for role, grants in _GRANTS.items():
            verifier = conn.pgconn.encrypt_password(
                passwords[role].encode(), role.encode(), b"scram-sha-256"
            ).decode()
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier)
                )
            )
            for grant in grants:
                conn.execute(grant)
        if defects.on("service-rewrites-events"):
            conn.execute("GRANT UPDATE, DELETE ON events TO ledger")
        if defects.on("audit-rewritable"):
            conn.execute("DROP TRIGGER audit_is_append_only ON audit")
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")


def provision_external(dsn: str, scale: int) -> str:
    """Tables and rows in a database of the user's own, unless they are there; what was done."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        found: Any = conn.execute("SELECT to_regclass('events'), to_regclass('accounts')")
        if any(found.fetchone() or ()):
            return "the ledger's tables are there; left as they are"
        with conn.transaction():
            _tables(conn, scale)
    return "the ledger's tables were made; `lab down` leaves them"


def _tables(conn: psycopg.Connection[Any], scale: int) -> None:
    conn.execute(migrations.VERSION_TABLE.encode())
    for revision in migrations.trunk():
        conn.execute(migrations.sql(revision, "up").encode())
    conn.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))
    conn.execute(_text("accounts.sql").replace("{scale}", str(scale)).encode())
