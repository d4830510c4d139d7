"""A copy of the ledger's database to try a migration on, one act a call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, last_words, obey, run

NAME = "ledger_copy"
_DATA = "SELECT count(*), md5(string_agg(digest, '' ORDER BY seq)) FROM events"


class Copy:
    """The database beside the ledger's."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        database = wanted["components"]["ledger-db"]
        self._bin, self._migrate = Path(database["bin"]), database["migrate"]
        self._source: str = database["admin-dsn"]
        self.dsn = self._source.replace("dbname=ledger", f"dbname={NAME}")

    def sql(self, text: str, dsn: str = "") -> str:
        argv = [str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", dsn or self._source]
        return run([*argv, "-c", text], "psql").strip()

    def is_there(self) -> bool:
        return NAME in self.sql("SELECT datname FROM pg_database").split()

    def drop(self) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")

    def make(self) -> None:
        self.drop()
        self.sql(f"CREATE DATABASE {NAME}")
        dump = [str(self._bin / "pg_dump"), "-d", self._source]
        load = [str(self._bin / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn]
        with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
            done = subprocess.run(
                load, stdin=dumping.stdout, capture_output=True, text=True, check=False
            )
        if dumping.returncode or done.returncode:
            raise Stop(f"copying: {last_words(done.stderr or 'pg_dump failed')}")

    def data(self) -> str:
        return self.sql(_DATA, self.dsn)

    def migrate(self, *words: str) -> dict[str, Any]:
        # The script names the ledger's own database first; the last one counts.
        argv = [self._migrate, *words, "--dsn", self.dsn]
        found: dict[str, Any] = json.loads(run(argv, f"migrate {words[0]}"))
        return found


def copy(wanted: dict[str, Any], checks: Checks) -> None:
    """Made anew."""
    Copy(wanted).make()


def drop_copy(wanted: dict[str, Any], checks: Checks) -> None:
    """Safe when there is none."""
    Copy(wanted).drop()


def no_copy(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when there is one."""
    there = Copy(wanted).is_there()
    checks.must("no-copy-is-left", not there, "none", NAME if there else "none")


def rehearse(wanted: dict[str, Any], checks: Checks) -> None:
    """Forward and back; what came of it is four checks."""
    there, to = Copy(wanted), wanted["to"]
    before, data = there.migrate("show"), there.data()
    up = there.migrate("up", "--to", to)
    checks.add("rehearsed-forward", up["to"] == to, to, f"{up['to']} in {up['held_ms']} ms")
    same = there.data()
    down = there.migrate("down")
    after = there.migrate("show")
    wanted_back = before["revision"]
    words = f"{down['to']} in {down['held_ms']} ms"
    checks.add("rehearsed-back", down["to"] == wanted_back, wanted_back, words)
    seen = after["digest"]
    checks.add("rehearsed-schema", seen == before["digest"], before["digest"], seen)
    ok = data == same == there.data()
    checks.add("rehearsed-data", ok, f"as before: {data}", f"forward {same}, back {there.data()}")


ACTS = {"copy": copy, "drop-copy": drop_copy, "no-copy": no_copy, "rehearse": rehearse}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
