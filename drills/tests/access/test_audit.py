"""The audit log only grows, and who changes a copy of it is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from audit_log import Row, digest, head, refuse_somebody, verify
from clients import Ledger, fact, unique
from psycopg import sql

CHANGES = {
    "change": "UPDATE audit SET reason = reason",
    "remove": "DELETE FROM audit",
    "empty": "TRUNCATE audit",
}


@pytest.fixture(scope="module")
def admin() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fact("ledger-db", "admin-dsn"), autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="module")
def noted() -> str:
    """The newest entry, as the service's own log has it."""
    refuse_somebody(Ledger("ledger-secure"), 5)
    return head()


def test_nobody_changes_an_entry(
    noted: str, admin: psycopg.Connection[Any], compare: Callable[..., None]
) -> None:
    """Not even the database's superuser, as long as he does not take the table apart."""
    found = {}
    for name, statement in CHANGES.items():
        with admin.transaction(force_rollback=True):
            try:
                found[name] = f"{admin.execute(statement).rowcount} rows"
            except psycopg.errors.InsufficientPrivilege:
                found[name] = "refused"

    compare(found, dict.fromkeys(CHANGES, "refused"))


def changed(rows: list[Row]) -> list[Row]:
    """Somebody's reason, in the middle."""
    at = len(rows) // 2
    seq, when, event, _, *rest = rows[at]
    return [*rows[:at], (seq, when, event, "nothing", *rest), *rows[at + 1 :]]


def forged(rows: list[Row]) -> list[Row]:
    """The same, and every digest after it made anew."""
    found: list[Row] = []
    for row in changed(rows):
        previous = found[-1][-1] if found else "0" * 64
        found.append((*row[:-1], digest(previous, row)))
    return found


COPIES: dict[str, Callable[[list[Row]], list[Row]]] = {
    "untouched": lambda rows: rows,
    "changed": changed,
    "changed and hashed anew": forged,
    "entry removed": lambda rows: [*rows[:1], *rows[2:]],
    "entries exchanged": lambda rows: [
        (rows[1][0], *rows[0][1:]),
        (rows[0][0], *rows[1][1:]),
        *rows[2:],
    ],
    "end cut off": lambda rows: rows[:-1],
    "emptied": lambda rows: [],
}


def test_a_tampered_copy_is_noticed(
    noted: str, admin: psycopg.Connection[Any], compare: Callable[..., None]
) -> None:
    """Each copy in a table of its own, which no trigger guards; the untouched one is believed."""
    found = {name: verdict(admin, change, noted) for name, change in COPIES.items()}

    compare(found, {**dict.fromkeys(COPIES, "noticed"), "untouched": "whole"})


def verdict(
    admin: psycopg.Connection[Any], change: Callable[[list[Row]], list[Row]], noted: str
) -> str:
    """What the service's command says of such a copy."""
    name = unique("copy")
    schema = sql.Identifier(name)
    admin.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    try:
        create = "CREATE TABLE {}.audit AS TABLE public.audit WITH NO DATA"
        admin.execute(sql.SQL(create).format(schema))
        rows = admin.execute(
            "SELECT * FROM audit WHERE seq <= %s ORDER BY seq", (noted.partition(":")[0],)
        ).fetchall()
        with admin.cursor() as cursor:
            line = sql.SQL("INSERT INTO {}.audit VALUES ({})").format(
                schema, sql.SQL(", ").join([sql.Placeholder()] * 9)
            )
            cursor.executemany(line, change(rows))
        code, words = verify(seen=noted, schema=name)
        return {0: "whole", 1: "noticed"}.get(code, words)
    finally:
        admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
