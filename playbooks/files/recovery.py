"""Recovery of a fetched base to an explicit target, where nobody can connect; then its pages."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from archive import Checks, Stop, last_words

REPLAY_WITHIN_S = 240  # of the WAL since the base backup; the playbook's limit is behind it


def target_settings(target: dict[str, Any]) -> dict[str, str]:
    """Postgres' settings for it: a restore point by name, or the start of the last record."""
    if "up-to" in target:
        return {"recovery_target_lsn": target["up-to"], "recovery_target_inclusive": "on"}
    if not target["name"].replace("-", "").replace("_", "").isalnum():
        raise Stop(f"{target['name']!r} is no name of a restore point")
    return {"recovery_target_name": target["name"]}


def stop_words(target: dict[str, Any]) -> str:
    """What Postgres logs when it has reached that target and no other."""
    if "up-to" in target:
        return f'recovery stopping after WAL location (LSN) "{target["up-to"]}"'
    return f'recovery stopping at restore point "{target["name"]}"'


def aim(fresh: Path, target: dict[str, Any], restore_command: str) -> None:
    """Recover to the target or fail: with one set, Postgres never goes on short of it.

    Args:
        fresh: data directory of the copy.
        target: see ``target_settings``.
        restore_command: shell words in front of a segment's name and the path for it.
    """
    write_settings(
        fresh,
        {
            "restore_command": f"{restore_command} %f %p",
            **target_settings(target),
            "recovery_target_action": "shutdown",  # first everything is looked at, then it serves
            "archive_mode": "off",  # the copy must not write into the archive it came from
            "hot_standby": "off",  # it takes connections when it is promoted, not before
            "synchronous_standby_names": "",  # those of the source do not follow this copy
        },
    )
    (fresh / "recovery.signal").touch(mode=0o600)


def write_settings(fresh: Path, settings: dict[str, str]) -> None:
    """The last setting of a name in the file wins."""
    with (fresh / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        for name, value in settings.items():
            doubled = value.replace("'", "''")
            file.write(f"{name} = '{doubled}'\n")


def replay(
    database: dict[str, str], fresh: Path, target: dict[str, Any], outputs: Path, checks: Checks
) -> None:
    """Replay to the target and stop there; no port, no connection, nothing served yet."""
    who = hand_over(database, fresh)
    argv = [str(Path(database["bin"]) / "postgres"), "-D", str(fresh)]
    # In the data directory, by a relative path: a socket's may not exceed 107 bytes.
    argv += ["-c", "listen_addresses=", "-c", "unix_socket_directories=."]
    log = outputs / "recovery.log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd="/", **who
        )
        try:
            code: int | None = server.wait(REPLAY_WITHIN_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(server)
    said = log.read_text("utf-8", "replace")
    expected = stop_words(target)
    reached = code == 0 and expected in said
    # "<time> [<pid>] LOG:  recovery stopping at restore point "NAME", time ..."
    seen = [line for line in said.splitlines() if "recovery stopping" in line]
    words = seen[-1].partition("LOG:")[2].strip() if seen else last_words(why(said))
    if code is None:
        words = f"not within {REPLAY_WITHIN_S} s"
    checks.must("target-reached", reached, expected, words)


def why(said: str) -> str:
    """The lines that tell why it ended; clients that came too early are none of them."""
    lines = [line.partition("] ")[2] or line for line in said.splitlines()]
    fatal = [line for line in lines if line.startswith(("FATAL", "PANIC"))]
    return "\n".join(fatal or lines)


def hand_over(database: dict[str, str], *folders: Path) -> dict[str, Any]:
    """Give the folders to the server's user; arguments of Popen to run as that user.

    Postgres refuses to run as root. An ordinary user runs it as themselves.
    """
    name = database.get("run-as")
    if not name or os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(name)
    for folder in folders:
        for above, inside, files in os.walk(folder):
            for path in (os.path.join(above, each) for each in inside + files):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def end(server: subprocess.Popen[bytes]) -> None:
    """Gone, with its children: SIGQUIT tells them; a postmaster's children end with it."""
    for signum in (signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)


def check_pages(database: dict[str, str], fresh: Path, checks: Checks) -> None:
    """Every page of the stopped copy against its checksum.

    Offline, because pg_checksums says nothing true of a running server; after the replay, because
    a base taken from a running server may hold torn pages until the WAL has mended them.
    """
    argv = [str(Path(database["bin"]) / "pg_checksums"), "--check", "-D", str(fresh)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    expected = "pages with a bad checksum: 0"
    counts = dict(re.findall(r"^(.+?):\s+(\d+)$", done.stdout, re.MULTILINE))
    bad, blocks = int(counts.get("Bad checksums", -1)), int(counts.get("Blocks scanned", 0))
    if bad < 0 or (bad == 0 and (done.returncode != 0 or blocks == 0)):
        checks.add("pg_checksums", None, expected, last_words(done.stderr or done.stdout))
        return
    observed = f"pages with a bad checksum: {bad} of {blocks}"
    if bad:
        observed += "; " + last_words(done.stderr).replace(f"{fresh}/", "")
    checks.must("pg_checksums", bad == 0, expected, observed)


def check_tables(database: dict[str, str], checks: Checks) -> None:
    """Heaps by their own rules, and every row of them in every B-tree index."""
    tool = str(Path(database["bin"]) / "pg_amcheck")
    dsn = database.get("admin-dsn", database["dsn"])
    argv = [tool, "--heapallindexed", "--verbose", "--no-strict-names", "--jobs=2", dsn]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    tables = done.stderr.count("checking heap table")
    indexes = done.stderr.count("checking btree index")
    expected = "no damaged table or index, and every row indexed"
    if done.returncode == 0 and tables and indexes:
        checks.add("pg_amcheck", True, expected, f"{tables} tables, {indexes} indexes, all sound")
    elif done.returncode == 2:  # its word for "I looked and found damage"
        found = last_words(done.stdout or done.stderr)
        checks.must("pg_amcheck", False, expected, found)
    else:
        checks.add("pg_amcheck", None, expected, last_words(done.stderr))
