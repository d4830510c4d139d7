"""The database password, by two login roles in one owner role; and the naive way, as a control."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, ask, fail, last_words
from private import replace_private

MOVED_WITHIN_S = 20.0
NAIVE_PAUSE_S = 1.0  # a person's pause between the database and the service's file
_ITERATIONS = 4096


class Logins:
    """The two roles, and the files that say which of them the service uses."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._database, service = wanted["database"], wanted["service"]
        if "logins" not in service or "admin-dsn" not in self._database:
            raise Stop("the database is not the lab's own; its roles are left alone")
        self.dsn_file, self.passfile = Path(service["dsn-file"]), Path(service["passfile"])
        self.dsn = self.dsn_file.read_text("utf-8").strip()
        found = re.search(r"user=(\w+)", self.dsn)
        names = service["logins"].split()
        if not found or found[1] not in names:
            raise Stop(f"the DSN names none of the login roles {', '.join(names)}")
        self.old = found[1]
        self.new = next(name for name in names if name != self.old)
        self.place = f"127.0.0.1:{self._database['port']}:*"

    def sql(self, text: str, dsn: str = "") -> str:
        """What psql prints; statements go through standard input, since one holds a verifier."""
        psql = str(Path(self._database["bin"]) / "psql")
        argv = [psql, "-XAtq", "-v", "ON_ERROR_STOP=1", dsn or self._database["admin-dsn"]]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Stop(f"psql: {last_words(done.stderr)}")
        return done.stdout.strip()

    def lines(self) -> list[str]:
        """Of the passfile: a role and its password each."""
        return self.passfile.read_text("utf-8").splitlines()

    def sessions(self, role: str) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename ="
        return int(self.sql(f"{query} '{role}'"))

    def set_password(self, role: str, password: str) -> None:
        self.sql(f"ALTER ROLE {role} LOGIN PASSWORD '{verifier(password)}'")

    def may_log_in(self, role: str) -> bool:
        """Tried with the password that the passfile holds."""
        try:
            self.sql("SELECT 1", re.sub(r"user=\w+", f"user={role}", self.dsn))
        except Stop:
            return False
        return True


def rotate(logins: Logins, checks: Checks) -> None:
    """New role in, service over, old role out: at no moment is a working password missing."""
    password = secrets.token_urlsafe(24)
    logins.set_password(logins.new, password)
    kept = [line for line in logins.lines() if f":{logins.old}:" in line]
    fresh = f"{logins.place}:{logins.new}:{password}"
    replace_private(logins.passfile, "\n".join([*kept, fresh, ""]))
    both = logins.may_log_in(logins.new) and logins.may_log_in(logins.old)
    checks.must("both-may-log-in", both, "the old and the new role", "both" if both else "not both")
    replace_private(logins.dsn_file, logins.dsn.replace(f"={logins.old}", f"={logins.new}"))
    give_up_at = time.monotonic() + MOVED_WITHIN_S
    while left := logins.sessions(logins.old):
        if time.monotonic() > give_up_at:
            break
        time.sleep(0.1)
    seen = f"{left} as {logins.old}, {logins.sessions(logins.new)} as {logins.new}"
    # The old role stays allowed when somebody still uses it: better two passwords than an outage.
    checks.must("sessions-moved", left == 0, f"no session as {logins.old}", seen)
    logins.sql(f"ALTER ROLE {logins.old} NOLOGIN")
    refused = not logins.may_log_in(logins.old)
    checks.must("old-is-refused", refused, f"{logins.old} cannot log in", str(refused).lower())
    logins.sql(f"ALTER ROLE {logins.old} PASSWORD NULL")
    replace_private(logins.passfile, fresh + "\n")
    checks.save(logins.new)


def rotate_naively(logins: Logins, checks: Checks) -> None:
    """Change the password in place, end its sessions, then tell the service."""
    password = secrets.token_urlsafe(24)
    logins.set_password(logins.old, password)
    logins.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608 - our role
        f"WHERE usename = '{logins.old}'"
    )
    time.sleep(NAIVE_PAUSE_S)
    replace_private(logins.passfile, f"{logins.place}:{logins.old}:{password}\n")
    good = logins.may_log_in(logins.old)
    checks.must("new-password-works", good, "true", str(good).lower())
    checks.save(logins.old)


def settle(logins: Logins, checks: Checks) -> None:
    """The role in the DSN may log in by its file, the other may not; safe to be said again."""
    kept = [line for line in logins.lines() if f":{logins.old}:" in line][:1]
    if not logins.may_log_in(logins.old):
        password = secrets.token_urlsafe(24)
        logins.set_password(logins.old, password)
        kept = [f"{logins.place}:{logins.old}:{password}"]
    replace_private(logins.passfile, "\n".join([*kept, ""]))
    logins.sql(f"ALTER ROLE {logins.new} NOLOGIN PASSWORD NULL")
    look(logins, checks)


def look(logins: Logins, checks: Checks) -> None:
    """Changes nothing; stops when anybody else may log in, or the one in the DSN may not."""
    names = f"'{logins.old}', '{logins.new}'"
    query = f"SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname IN ({names})"  # noqa: S608
    seen = logins.sql(query).split()
    checks.must("one-login", seen == [logins.old], f"{logins.old} alone", " ".join(seen) or "none")
    known = len(logins.lines())
    checks.must("one-password", known == 1, "1 password in the file", str(known))
    good = logins.may_log_in(logins.old)
    checks.must("password-works", good, f"{logins.old} logs in", "it is refused")


ACTS = {"rotate": rotate, "rotate-naively": rotate_naively, "settle": settle, "look": look}


def verifier(password: str) -> str:
    """What Postgres stores (RFC 5803), so that the password itself never travels or is logged."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    coded = [base64.b64encode(part).decode("ascii") for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{coded[0]}${coded[1]}:{coded[2]}"


def main() -> None:
    """Rotate as standard input says."""
    try:
        wanted = ask()
        logins, checks = Logins(wanted), Checks(wanted["outputs"])
        ACTS[wanted["act"]](logins, checks)
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
