"""The ledger's database: a cluster of the lab, archived, or one of the user's own."""

from __future__ import annotations

import os
import secrets
import shlex
from typing import Any

from fireproof.errors import EnvironmentRefusal
from proving_ground.components.site import PYTHON, Built, Component, Site, sha256
from proving_ground.ledger import defects
from proving_ground.providers import postgres


def build(site: Site) -> Built:
    """Running, with the ledger's tables, roles and rows."""
    external = os.environ.get("LEDGER_DSN", "")
    return _external(site, external) if external else _embedded(site)


def _embedded(site: Site) -> Built:
    from proving_ground.provision import ROLES, provision  # psycopg costs 40 ms

    folder, port = site.folder, site.port("ledger-db")
    site.report("ledger-db: making a cluster")
    binaries = postgres.postgres_bin(folder.software)
    passwords = {role: secrets.token_urlsafe(24) for role in ("postgres", *ROLES)}
    lines = [f"127.0.0.1:{port}:*:{role}:{word}\n" for role, word in passwords.items()]
    passfile = folder.secret("pgpass", "".join(lines))
    first = folder.secret("initdb-password", passwords["postgres"], site.user)
    data = folder.database / "primary"
    postgres.make_cluster(binaries, data, first, site.user)
    first.unlink()
    site.start(postgres.server(binaries, data, port, site.user))
    site.report(f"ledger-db: loading about {40 * site.scale} MB")
    base = f"host=127.0.0.1 port={port} passfile={passfile} connect_timeout=2"
    with defects.taken(site.defects("provision"), "provision"):
        provision(f"{base} user=postgres", passwords, site.scale)
    postgres.set_archive_command(data, folder.bin / "archive-wal")
    postgres.ask(f"{base} user=postgres dbname=ledger", "SELECT pg_reload_conf()")
    says: dict[str, Any] = {
        "kind": "postgres",
        "dsn": f"{base} user=reader dbname=ledger",
        "admin-dsn": f"{base} user=postgres dbname=ledger",
        "backup-dsn": f"{base} user=backup",
        "host": "127.0.0.1",
        "port": str(port),
        "data-directory": str(data),
        "restore-into": str(folder.database),
        "bin": str(binaries),
        **site.common("ledger-db"),
        "faults": ["lose-data-directory", "corrupt-file", "kill", "pause", "playbook"],
    }
    admin = shlex.quote(str(says["admin-dsn"]))
    command = shlex.join([*PYTHON, "migrate", *site.defects("migrate")])
    words = f'#!/bin/sh\nexec {command} --dsn {admin} "$@"\n'
    says["migrate"] = str(folder.script("migrate", words))
    if site.user:
        says["run-as"] = "nobody"  # Postgres refuses root, also for a restore on trial
    # A lost data directory takes no leave: nothing is flushed or shipped on the way out.
    says["control"]["stop"].append("mode=immediate")
    record = {
        "postgres": postgres.version(binaries),
        "postgres-sha256": sha256(binaries / "postgres"),
        "archive-timeout": f"{postgres.ARCHIVE_TIMEOUT_S}s",
    }
    return Built(
        says, port, record=record, aside={"service-dsn": f"{base} user=ledger dbname=ledger"}
    )


def _external(site: Site, dsn: str) -> Built:
    """A database of the user's own: no host access, so no faults and no control."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    from proving_ground.provision import provision_external

    try:
        if conninfo_to_dict(dsn).get("password"):
            raise EnvironmentRefusal(
                "LEDGER_DSN holds a password; put it in a file and name that with passfile="
            )
        site.report("ledger-db: " + provision_external(dsn, site.scale))
    except psycopg.Error as err:
        raise EnvironmentRefusal(f"LEDGER_DSN cannot be used: {str(err).strip()}") from err
    says = {"kind": "postgres", "dsn": dsn, "faults": []}
    return Built(says, record={"postgres": "external"}, aside={"service-dsn": dsn})


COMPONENT = Component("ledger-db", build, needs=("archive",), ports=("ledger-db",))
