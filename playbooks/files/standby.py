"""A database that follows, one act a call: make, promote, switch-back; and the ways back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, lsn, obey, run

FOLLOWS_WITHIN_S = 30.0
PROMOTES_S = 1.0
WRITE_GAP_S = 8.0  # that a planned change of roles may cost
_STREAMING = (
    "SELECT state || ' ' || sync_state FROM pg_stat_replication WHERE application_name = '{}'"
)


class Pair:
    """The two databases; either may be the one that takes writes."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        components = wanted["components"]
        self.first, self.second = components["ledger-db"], components["ledger-standby"]
        self.ctl: str = self.first["ctl"]
        self._psql = [str(Path(self.first["bin"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]

    def sql(self, database: dict[str, Any], text: str) -> str:
        return run([*self._psql, database["admin-dsn"], "-c", text], "psql").strip()

    def runs(self, name: str) -> bool:
        """By its pid-file."""
        component = self.first if name == "ledger-db" else self.second
        pid = Path(component["control"]["pid-file"])
        return pid.exists() and Path("/proc", pid.read_text("ascii").split()[0]).exists()

    def answers(self) -> bool:
        """Whether somebody takes connections at ledger-db's port, whatever the pid-file says."""
        try:
            with socket.create_connection(("127.0.0.1", int(self.first["port"])), timeout=2):
                return True
        except OSError:
            return False

    def leads(self, name: str) -> bool:
        """Runs and takes writes."""
        component = self.first if name == "ledger-db" else self.second
        return self.runs(name) and self.sql(component, "SELECT pg_is_in_recovery()") == "f"

    def follow(self, follower: str, leader: dict[str, Any], data: Path) -> None:
        """A copy of the leader in ``data``, started as that server and streaming."""
        own = self.first if follower == "ledger-db" else self.second
        run([self.ctl, "stop", follower, "mode=immediate"], f"stopping {follower}")
        if data.exists():
            shutil.rmtree(data)
        dsn = f"host=127.0.0.1 port={leader['port']} {self.second['follow-dsn']}"
        dsn += f" application_name={follower}"
        argv = [str(Path(own["bin"]) / "pg_basebackup"), "-d", dsn, "-D", str(data), "-R"]
        argv += ["--checkpoint=fast", "--wal-method=stream", "--no-password"]
        run(argv, "pg_basebackup")
        # What the leader was told about others is not for its copy.
        with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.write("synchronous_standby_names = ''\n")
        argv = [self.ctl, "start", follower, f"data-directory={data}", "within=60"]
        run(argv, f"starting {follower}")
        self.wait(
            lambda: self.sql(leader, _STREAMING.format(follower)).startswith("streaming"),
            f"{follower} streams from the leader",
        )

    def caught_up(self, leader: dict[str, Any], follower: str) -> None:
        """Until the follower has replayed what the leader holds now."""
        lag = (
            "SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 1)"  # noqa: S608
            f" FROM pg_stat_replication WHERE application_name = '{follower}'"
        )
        self.wait(lambda: float(self.sql(leader, lag) or 1) < 65536, f"{follower} has caught up")

    def wait(self, good: Any, what: str) -> None:
        give_up_at = time.monotonic() + FOLLOWS_WITHIN_S
        while not good():
            if time.monotonic() > give_up_at:
                raise Stop(f"not within {FOLLOWS_WITHIN_S:g} s: {what}")
            time.sleep(0.05)


def make(wanted: dict[str, Any], checks: Checks) -> None:
    """ledger-standby follows ledger-db; with ``synchronous``, no write is acknowledged before
    it has it too.
    """
    pair = Pair(wanted)
    pair.sql(pair.first, "ALTER SYSTEM RESET synchronous_standby_names")
    pair.sql(pair.first, "SELECT pg_reload_conf()")
    pair.follow("ledger-standby", pair.first, Path(pair.second["data-directory"]))
    wanted_state = "streaming async"
    if wanted.get("synchronous") == "yes":
        wanted_state = "streaming sync"
        pair.sql(pair.first, """ALTER SYSTEM SET synchronous_standby_names = '"ledger-standby"'""")
        pair.sql(pair.first, "SELECT pg_reload_conf()")
    state = _STREAMING.format("ledger-standby")
    pair.wait(lambda: pair.sql(pair.first, state) == wanted_state, wanted_state)
    seen = pair.sql(pair.first, state)
    checks.must("standby-follows", seen == wanted_state, wanted_state, seen or "nobody")


def follows(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when nobody could take over."""
    pair = Pair(wanted)
    seen = pair.sql(pair.first, _STREAMING.format("ledger-standby"))
    checks.must("a-standby-follows", seen.startswith("streaming"), "streaming", seen or "nobody")


def promote(wanted: dict[str, Any], checks: Checks) -> None:
    """ledger-standby takes the writes. The old one is ended first: two that do is worse than
    none.
    """
    pair = Pair(wanted)
    run([pair.ctl, "stop", "ledger-db", "mode=immediate"], "ending the old primary")
    seen = f"runs: {_yes(pair.runs('ledger-db'))}, its port answers: {_yes(pair.answers())}"
    ended = "runs: no, its port answers: no"
    checks.must("old-primary-ended", seen == ended, ended, seen)
    took = pair.sql(pair.second, "SELECT pg_promote(true, 30)")
    readonly = pair.sql(pair.second, "SHOW transaction_read_only")
    checks.must("promoted", (took, readonly) == ("t", "off"), "takes writes", readonly)
    newest = pair.sql(pair.second, "SELECT coalesce(max(seq), 0) FROM events")
    checks.save(newest)


def switch_back(wanted: dict[str, Any], checks: Checks) -> None:
    """ledger-db leads again: made anew as a follower, then the roles change while the leader
    shuts down in order, which waits until the follower has everything.
    """
    pair = Pair(wanted)
    data = Path(pair.first["restore-into"]) / f"switched-{wanted['run'][-12:]}"
    pair.follow("ledger-db", pair.second, data)
    pair.caught_up(pair.second, "ledger-db")
    began = time.monotonic()
    run([pair.ctl, "stop", "ledger-standby", "mode=fast"], "ending the standby in order")
    received = pair.sql(pair.first, "SELECT pg_last_wal_receive_lsn()")
    took = pair.sql(pair.first, "SELECT pg_promote(true, 30)")
    gap_s = round(time.monotonic() - began, 3)
    after = pair.sql(pair.first, "SELECT coalesce(max(seq), 0) FROM events")
    readonly = pair.sql(pair.first, "SHOW transaction_read_only")
    ok = (took, readonly) == ("t", "off")
    checks.must("switched-back", ok, "ledger-db takes writes", f"read only: {readonly}")
    gap = f"takes writes again within {WRITE_GAP_S:g} s"
    checks.add("switch-back-gap", gap_s < WRITE_GAP_S, gap, f"{gap_s} s")
    _all_received(pair, received, checks)
    _forget_following(data)
    facts = {"gap_s": gap_s, "newest": int(after), "data-directory": str(data)}
    (Path(wanted["outputs"]) / "switch-back.json").write_text(json.dumps(facts), "utf-8")
    checks.save(str(gap_s))


def _all_received(pair: Pair, received: str, checks: Checks) -> None:
    """The last record that the leader wrote, once it took no more writes, reached the follower."""
    tool = str(Path(pair.second["bin"]) / "pg_controldata")
    told = run([tool, "-D", pair.second["data-directory"]], "pg_controldata")
    facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    state = facts["Database cluster state"].strip()
    last = facts["Latest checkpoint location"].strip()
    ok = state == "shut down" and lsn(received) > lsn(last)
    expected = f"leader shut down, its last record at {last} received"
    checks.must("nothing-lost", ok, expected, f"leader {state}, received up to {received}")


def home(wanted: dict[str, Any], checks: Checks) -> None:
    """ledger-db leads, wherever a failover or a switch back was cut off; safe to be said again.

    A ledger-db that was ended and not replaced is for whoever ended it.
    """
    pair = Pair(wanted)
    if pair.runs("ledger-standby"):
        time.sleep(PROMOTES_S)  # one that was told to, by somebody who then died
    if pair.leads("ledger-standby"):
        switch_back(wanted, checks)
    elif pair.runs("ledger-db") and not pair.leads("ledger-db"):
        run([pair.ctl, "stop", "ledger-standby", "mode=fast"], "ending the standby in order")
        pair.sql(pair.first, "SELECT pg_promote(true, 30)")
    if pair.leads("ledger-db"):
        _forget_following(Path(pair.sql(pair.first, "SHOW data_directory")))


def is_home(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when another than ledger-db takes writes, or leads it."""
    pair = Pair(wanted)
    leads = [name for name in ("ledger-db", "ledger-standby") if pair.leads(name)]
    follows = pair.runs("ledger-db") and "ledger-db" not in leads
    ok = "ledger-standby" not in leads and not follows
    seen = ", ".join(leads) or "nobody"
    checks.must("leads-home", ok, "no other than ledger-db", f"{seen} leads")


def end(wanted: dict[str, Any], _: Checks) -> None:
    """Nobody waits for the standby, and it is gone; in this order, else a write would hang."""
    pair = Pair(wanted)
    pair.sql(pair.first, "ALTER SYSTEM RESET synchronous_standby_names")
    pair.sql(pair.first, "SELECT pg_reload_conf()")
    run([pair.ctl, "stop", "ledger-standby", "mode=immediate"], "ending the standby")


def is_ended(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when a standby runs, or one is waited for."""
    pair = Pair(wanted)
    waits = pair.sql(pair.first, "SHOW synchronous_standby_names")
    runs = pair.runs("ledger-standby")
    seen = f"runs: {_yes(runs)}, writes wait for: {waits or 'nobody'}"
    checks.must("no-standby", not runs and not waits, "runs: no, writes wait for: nobody", seen)


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _forget_following(data: Path) -> None:
    """The line to the old leader goes: a later backup of this one must not carry it."""
    path = data / "postgresql.auto.conf"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(x for x in lines if not x.startswith("primary_conninfo")), "utf-8")
    found = path.stat()
    os.chmod(fresh, found.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(fresh, found.st_uid, found.st_gid)
    os.replace(fresh, path)


ACTS = {
    "make": make,
    "follows": follows,
    "promote": promote,
    "switch-back": switch_back,
    "home": home,
    "is-home": is_home,
    "end": end,
    "is-ended": is_ended,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
