"""Two login roles in one owner role, so that the password can change while both may log in."""

from __future__ import annotations

import secrets
from pathlib import Path

from proving_ground.components.site import Site

OWNER = "ledger"
LOGINS = ("ledger_a", "ledger_b")


def make_logins(site: Site) -> dict[str, str]:
    """The files that name the login in use, and what a rotation needs to know."""
    path = site.folder.secrets / "ledger-secure.dsn"
    database = site.says("ledger-db") or {}
    if "admin-dsn" not in database:  # a database of the user's own: its roles are not ours to make
        if not path.exists():
            site.folder.secret(path.name, site.aside("ledger-db")["service-dsn"])
        return {"dsn-file": str(path)}
    passfile = site.folder.secrets / "pgpass-ledger-secure"
    if not path.exists():
        _make_roles(site, database, passfile)
        base = f"host=127.0.0.1 port={database['port']} dbname=ledger passfile={passfile}"
        dsn = f"{base} connect_timeout=2 application_name=ledger-secure user={LOGINS[0]}"
        site.folder.secret(path.name, dsn)
    return {"dsn-file": str(path), "passfile": str(passfile), "logins": " ".join(LOGINS)}


def _make_roles(site: Site, database: dict[str, str], passfile: Path) -> None:
    import psycopg
    from psycopg import sql

    password = secrets.token_urlsafe(24)
    line = f"127.0.0.1:{database['port']}:*:{LOGINS[0]}:{password}\n"
    site.folder.secret(passfile.name, line)
    with psycopg.connect(database["admin-dsn"], autocommit=True) as conn:
        for login in LOGINS:
            conn.execute(
                sql.SQL("CREATE ROLE {} NOLOGIN IN ROLE {}").format(
                    sql.Identifier(login), sql.Identifier(OWNER)
                )
            )
        verifier = conn.pgconn.encrypt_password(
            password.encode(), LOGINS[0].encode(), b"scram-sha-256"
        ).decode()
        conn.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(LOGINS[0]), sql.Literal(verifier)
            )
        )
