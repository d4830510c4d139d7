"""pgBackRest instead of files of our own: its repository, its archive of the WAL, its restore.

Its commands run as the server's user, who archives. They find the server through PGHOST: without it
pgBackRest looks for a socket, and this server has none.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from archive import Checks, Stop, last_words, run, sha256
from archiving import archive_also, forget_archiving
from recovery import hand_over
from tools import must_be_intact

PROGRAM = "/usr/bin/pgbackrest"
STANZA = "ledger"
_CONFIG = """\
[global]
repo1-path={repository}
lock-path={home}/lock
spool-path={home}/spool
log-level-file=off
log-level-console=warn
log-level-stderr=off
start-fast=y
compress-type=lz4
process-max=2
archive-timeout=60

[{stanza}]
pg1-path={data}
pg1-port={port}
pg1-user=postgres
"""


class PgBackRest:
    """One repository in a folder beside the database's."""

    name = "pgbackrest"

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._database: dict[str, str] = wanted["database"]
        given = wanted.get("repository") or str(Path(self._database["restore-into"], self.name))
        self.home = Path(given)
        self.repository = self.home / "repository"
        if not os.access(PROGRAM, os.X_OK):
            raise Stop(f"there is no {PROGRAM}; on Debian and Ubuntu: apt-get install pgbackrest")

    # -- before the fault

    def back_up(self, checks: Checks) -> dict[str, Any]:
        """Archive with it from now on, then a full backup, looked through by the tool itself."""
        started = time.time()
        self._set_up()
        with self._allowed() as server:
            self._call("stanza-create", env=server)
            archive_also(self._database, self._words("archive-push"))
            self._call("check", env=server)
            self._call("backup", "--type=full", env=server)
        self.verify(checks, "backup-verified")
        made = self._backups()[-1]
        folder = self.repository / "backup" / STANZA / made["label"]
        files = digests(folder)
        return {
            "name": made["label"],
            "took_s": round(time.time() - started, 3),
            "size_bytes": made["info"]["size"],
            "files": files,
            "start_lsn": made["lsn"]["start"],
            "end_lsn": made["lsn"]["stop"],
            "tool": run([PROGRAM, "version"], "pgbackrest").strip(),
        }

    def _set_up(self) -> None:
        for folder in (self.home, self.repository, self.home / "lock", self.home / "spool"):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._configure(self.home / "pgbackrest.conf", self.repository)
        hand_over(self._database, self.home)

    def _configure(self, path: Path, repository: Path) -> None:
        text = _CONFIG.format(
            repository=repository,
            home=self.home,
            stanza=STANZA,
            data=self._database["data-directory"],
            port=self._database["port"],
        )
        path.write_text(text, "utf-8")

    # -- after it

    def verify(self, checks: Checks, name: str, *, repository: Path | None = None) -> None:
        """Every file of the repository as the tool wrote it down.

        2.45 exits with 0 whatever it finds, and says nothing at all of a sound repository unless it
        is asked to: its words count.
        """
        words = [PROGRAM, *self._options(repository), "--output=text", "--verbose", "verify"]
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, **self._who()
        )
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        good = done.returncode == 0 and "status: ok" in lines
        bad = [line for line in lines if "status: invalid" in line or re.search("id: [1-9]", line)]
        observed = "status: ok" if good else "; ".join(bad) or last_words("\n".join(lines))
        checks.must(name, good, "pgbackrest verify finds nothing wrong", observed)

    def fetch(
        self,
        backup: dict[str, Any],
        fresh: Path,
        checks: Checks,
        spoil: Callable[[Path], None] | None = None,
    ) -> None:
        """The data directory of that backup; ``spoil`` is shown it in a copy of the repository."""
        repository, scratch = self.repository, fresh.with_name(fresh.name + ".repository")
        try:
            if spoil:
                shutil.copytree(repository, scratch)
                hand_over(self._database, scratch)
                repository = scratch
                spoil(scratch / "backup" / STANZA / backup["name"])
            there = digests(repository / "backup" / STANZA / backup["name"])
            must_be_intact(backup["files"], there, "files", checks)
            self.verify(checks, "pgbackrest-verify", repository=repository)
            fresh.mkdir(mode=0o700)
            hand_over(self._database, fresh)
            try:
                self._call(
                    f"--set={backup['name']}",
                    *(f"--pg1-path={fresh}", "--type=none", "restore"),
                    repository=repository,
                )
            except Stop as err:
                checks.must("pgbackrest-restore", False, "every file with its checksum", str(err))
            forget_archiving(fresh)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def restore_command(self, fresh: Path) -> str:
        """Shell words: exit 1 only when the repository has no such segment, else above 125."""
        script = self.home / "get-wal"
        script.write_text(
            # A server runs it in its data directory, whatever that is called by then.
            "#!/bin/sh\n# restore_command: NAME PATH\n"
            f'{self._words("archive-get")} --pg1-path="$PWD" "$1" "$2"'
            "\ncode=$?\n"
            # Of 2.45: 1 is "no such segment in the archive"; everything else is an error.
            "[ $code -le 1 ] && exit $code\n"
            'echo "get-wal: $1: pgbackrest ended with $code" >&2\nexit 200\n',
            "utf-8",
        )
        script.chmod(0o755)
        return shlex.quote(str(script))

    # -- its command line

    def _backups(self) -> list[dict[str, Any]]:
        said = json.loads(self._call("--output=json", "info"))
        found: list[dict[str, Any]] = said[0]["backup"] if said else []
        if not found:
            raise Stop("pgbackrest info lists no backup")
        if any(one.get("error") for one in found[-1:]):
            raise Stop("pgbackrest info: the newest backup has page checksum errors")
        return found

    def _options(self, repository: Path | None = None) -> list[str]:
        options = [f"--config={self.home / 'pgbackrest.conf'}", f"--stanza={STANZA}"]
        return options + ([f"--repo1-path={repository}"] if repository else [])

    def _words(self, *arguments: str) -> str:
        return shlex.join([PROGRAM, *self._options(), *arguments])

    def _who(self) -> dict[str, Any]:
        return {**hand_over(self._database), "cwd": "/"}

    def _call(
        self, *arguments: str, env: dict[str, str] | None = None, repository: Path | None = None
    ) -> str:
        """One command as the server's user; its output, or Stop with its last words."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [PROGRAM, *self._options(repository), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **(env or {})},
            **self._who(),
        )
        if done.returncode != 0:
            words = last_words(done.stderr + done.stdout)
            raise Stop(f"pgbackrest {arguments[-1]}: {words}")
        return done.stdout

    @contextlib.contextmanager
    def _allowed(self) -> Iterator[dict[str, str]]:
        """The superuser's password for as long as it is needed, in memory where there is some."""
        dsn = dict(part.partition("=")[::2] for part in self._database["admin-dsn"].split())
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix="fp-pass-", dir=memory))
        try:
            passfile = folder / "pgpass"
            passfile.touch(mode=0o600)
            passfile.write_text(Path(dsn["passfile"]).read_text("utf-8"), "utf-8")
            hand_over(self._database, folder)
            yield {"PGHOST": dsn["host"], "PGPASSFILE": str(passfile), "PGDATABASE": "postgres"}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def digests(folder: Path) -> dict[str, str]:
    """Of every file below."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): sha256(path) for path in files}
