"""The archive's companion: a restore point each second, confirmed once the archive holds it.

A recovery needs an explicit target that must be reached ("the latest" cannot fail, so it proves
nothing), and the newest one that the archive is known to cover. The primary is gone by then, so
the answer stands in the archive itself: ``restore-points/latest.json``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from fireproof.clock import utc_label

PERIOD_S = 1.0
_RCLONE_WITHIN_S = 20
_ERRORS = (psycopg.Error, OSError, subprocess.SubprocessError, ValueError)

_MAKE = """
INSERT INTO restore_points (name, lsn, wal_file, event_seq)
SELECT %(name)s, lsn, pg_walfile_name(lsn), %(event_seq)s
FROM pg_create_restore_point(%(name)s) AS lsn
"""
_NEWEST = """
SELECT name, lsn::text, wal_file, event_seq, created_at::text FROM restore_points
WHERE archived_at IS NULL AND wal_file <= %s ORDER BY lsn DESC LIMIT 1
"""
_CONFIRM = """
UPDATE restore_points SET archived_at = clock_timestamp()
WHERE archived_at IS NULL AND lsn <= %s::pg_lsn
"""


class Marks:
    """Makes restore points and confirms them."""

    def __init__(self, facts: dict[str, str]) -> None:
        self._facts = facts
        self._conn: psycopg.Connection[Any] | None = None
        self._next_xid = 0  # what the next transaction gets if nobody but us writes
        self.over = threading.Event()

    def run(self) -> None:
        """One tick a second until told to end; an error is logged and the next tick reconnects."""
        due = time.monotonic()
        words = ""
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due = max(due + PERIOD_S, time.monotonic())
            try:
                self.tick()
                Path(self._facts["beat"]).write_text(utc_label() + "\n", "utf-8")
                if words:
                    _say("works again")
                words = ""
            except _ERRORS as err:
                if self._conn is not None:
                    self._conn.close()
                self._conn = None
                if str(err) != words:  # once, not each second
                    words = str(err)
                    _say(f"cannot mark: {words.strip()}")

    def tick(self) -> None:
        """A point if anything was written since the last; then whatever the archive confirms."""
        # A restored copy that is not archived has nothing to confirm its points.
        row = self._row("SELECT current_setting('archive_mode'), pg_is_in_recovery()")
        if row != ("on", False):
            return
        snapshot, newest = self._row(
            "SELECT pg_current_snapshot()::text, (SELECT coalesce(max(seq), 0) FROM events)"
        )
        # Without this an idle ledger would ship a segment every few seconds for ever. Nothing is
        # missed: whoever writes, or has yet to commit, makes the snapshot another one than this.
        if snapshot != f"{self._next_xid}:{self._next_xid}:":
            name = f"mark-{time.time_ns() // 1000}"
            self._open().execute(_MAKE, {"name": name, "event_seq": newest})
            self._next_xid = int(snapshot.split(":")[1]) + 1
        if self._confirm():
            self._next_xid += 1

    def _open(self) -> psycopg.Connection[Any]:
        """The connection; a fresh one when the last was lost."""
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(
                self._facts["dsn"],
                autocommit=True,
                connect_timeout=2,
                options="-c statement_timeout=5000 -c application_name=wal-marks",
            )
        return self._conn

    def _confirm(self) -> bool:
        """Publish the newest point whose segment Postgres shipped and the archive shows."""
        archived = self._row("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")[0]
        point = self._open().execute(_NEWEST, (archived[:24],)).fetchone()
        if point is None or not self._is_there(point[2]):
            return False
        names = ("name", "lsn", "wal_file", "event_seq", "created_at")
        published = {**dict(zip(names, point, strict=True)), "confirmed_at": utc_label()}
        self._rclone("rcat", "restore-points/latest.json", stdin=json.dumps(published))
        self._open().execute(_CONFIRM, (point[1],))
        return True

    def _is_there(self, wal_file: str) -> bool:
        return self._rclone("lsf", f"wal/{wal_file}", may_miss=True).strip() == wal_file

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = self._open().execute(sql).fetchone()
        if row is None:
            raise ValueError(f"no row for {sql!r}")
        return tuple(row)

    def _rclone(self, act: str, path: str, *, stdin: str = "", may_miss: bool = False) -> str:
        command = [*self._facts["rclone"].split("\n"), act, f"{self._facts['remote']}/{path}"]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_RCLONE_WITHIN_S,
        )
        if done.returncode in (3, 4) and may_miss:  # rclone: directory or file not found
            return ""
        if done.returncode != 0:
            raise OSError(f"rclone {act} {path}: {done.stderr.strip()[-300:]}")
        return done.stdout


def _say(words: str) -> None:
    print(f"{utc_label()} {words}", flush=True)


def main(argv: list[str]) -> int:
    """``marks FACTS``: a JSON file with dsn, rclone (one argument a line), remote and beat."""
    if len(argv) != 1:
        print("usage: python -m proving_ground marks FACTS.json", file=sys.stderr)
        return 2
    marks = Marks(json.loads(Path(argv[0]).read_text("utf-8")))
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: marks.over.set())
    os.chdir("/")
    marks.run()
    return 0
