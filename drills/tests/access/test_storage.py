"""Storage without a route in front of it: its drivers, and the database's own roles."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from clients import fact
from psycopg import sql

WRITE, READ = {"append", "batch"}, {"read", "list"}
MAY: dict[str, set[str]] = {
    "reader": READ,
    "writer": READ | WRITE,
    "auditor": set(),
    "admin": READ | WRITE,
}
TABLES = ("events", "audit", "checkpoints", "accounts")
STATEMENTS = {
    "add to": "INSERT INTO {0} SELECT * FROM {0} WHERE false",
    "change": "UPDATE {0} SET {1} = {1} WHERE false",
    "remove from": "DELETE FROM {0} WHERE false",
    "empty": "TRUNCATE {0}",
    "drop": "DROP TABLE {0}",
}
COLUMN = {"events": "body", "audit": "reason", "checkpoints": "note", "accounts": "balance"}
# The service appends by functions alone, which hash; its login in use is asked itself.
ROLES: dict[str, set[str]] = {
    "the service": set(),
    "engine": {"add to checkpoints"},
    "marks": set(),
    "reader": set(),
    "backup": set(),
}


@pytest.fixture(scope="module")
def matrix() -> dict[str, dict[str, str]]:
    argv = [fact("ledger-secure", "ask-storage"), "--dsn-file", fact("ledger-secure", "dsn-file")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=True)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("driver", ["memory", "postgres"])
def test_a_driver_refuses_each_wrong_role_and_tenant(
    driver: str,
    matrix: dict[str, dict[str, str]],
    record_property: Callable[[str, object], None],
) -> None:
    """A handler that forgot to ask would do no harm."""
    found = matrix[driver]
    stored = found.pop("stored though refused")
    wanted = {
        f"{role} {verb} {where}": "wrong-role"
        if verb not in may
        else ("answered" if where == "own" else "wrong-tenant")
        for role, may in MAY.items()
        for verb in sorted(READ | WRITE)
        for where in ("own", "other")
    }
    record_property("expected", told(wanted, wanted, "0"))
    record_property("observed", told(found, wanted, stored))

    assert found == wanted
    assert stored == "0"


def told(found: dict[str, str], wanted: dict[str, str], stored: str) -> str:
    """Counts, and each answer that is not the one wanted."""
    wrong = [f"{case}: {said}" for case, said in found.items() if said != wanted.get(case)]
    counts = [f"{list(found.values()).count(said)} {said}" for said in sorted({*found.values()})]
    return "; ".join([", ".join(counts), f"{stored} stored though refused", *wrong])


def test_the_database_refuses_each_wrong_role(compare: Callable[..., None]) -> None:
    """Every role at every table: what it may do there besides reading."""
    found: dict[str, list[str]] = {}
    service = Path(fact("ledger-secure", "dsn-file")).read_text("utf-8").strip()
    with psycopg.connect(service, autocommit=True) as conn:
        found["the service"] = may(conn)
    with psycopg.connect(fact("ledger-db", "admin-dsn"), autocommit=True) as conn:
        for role in sorted({*ROLES} - {"the service"}):
            conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            found[role] = may(conn)

    compare(found, {role: sorted(ROLES[role]) for role in found})


def may(conn: psycopg.Connection[Any]) -> list[str]:
    """Statements that are not refused; nothing of them stays."""
    found = []
    for name, statement in STATEMENTS.items():
        for table in TABLES:
            with conn.transaction(force_rollback=True):
                try:
                    conn.execute(statement.format(table, COLUMN[table]).encode())
                except psycopg.errors.InsufficientPrivilege:
                    continue
            found.append(f"{name} {table}")
    return sorted(found)
