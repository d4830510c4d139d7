"""Barman Cloud instead of files of our own: base backups and WAL in the archive's S3 bucket.

Its programs are Python, and the server's user runs two of them. Where that user cannot enter our
virtual environment, they get a copy of what they need in the lab's folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archive import Archive, Checks, Stop, last_words
from archiving import archive_also, forget_archiving
from recovery import hand_over
from tools import must_be_intact

SERVER = "ledger"
_BELOW = "barman"  # in the archive
_RUN = "import sys; from barman.clients.cloud_{program} import main; sys.exit(main())"
_WANTED = {"barman": "cloud", "boto3": ""}  # distribution: its extra


class BarmanCloud:
    """One server's backups below one prefix of the bucket."""

    name = "barman-cloud"

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._database: dict[str, str] = wanted["database"]
        self._component: dict[str, str] = wanted["archive"]
        self._archive = Archive(self._component)
        self._run = str(wanted["run"])
        self.home = Path(self._database["restore-into"], self.name)
        try:
            self.version = importlib.metadata.version("barman")
        except importlib.metadata.PackageNotFoundError as err:
            raise Stop("barman is not installed: pip install 'fireproof[barman]'") from err

    # -- before the fault

    def back_up(self, checks: Checks) -> dict[str, Any]:
        """Archive with it from now on, then a base backup."""
        started = time.time()
        push = self._script("push-wal", "walarchive", '"$1"')
        archive_also(self._database, shlex.quote(str(push)))
        self._call(
            "backup",
            *("--immediate-checkpoint", "-h", self._database["host"]),
            *("-p", self._database["port"], "-U", "postgres", "-d", self._database["admin-dsn"]),
        )
        made = self._backups()[-1]
        done = made["status"] == "DONE"
        checks.must("backup-verified", done, "barman-cloud lists it as DONE", made["status"])
        files = self._digests(_BELOW, made["backup_id"])
        return {
            "name": made["backup_id"],
            "took_s": round(time.time() - started, 3),
            "files": files,
            "size_bytes": made.get("size"),
            "start_lsn": made["begin_xlog"],
            "end_lsn": made["end_xlog"],
            "tool": f"barman {self.version}",
        }

    # -- after it

    def fetch(
        self,
        backup: dict[str, Any],
        fresh: Path,
        checks: Checks,
        spoil: Callable[[Path], None] | None = None,
    ) -> None:
        """The data directory of that backup; ``spoil`` is shown a copy of it in another prefix."""
        name, below = backup["name"], _BELOW
        try:
            if spoil:
                below = f"{_BELOW}-attempt-{self._run}"
                self._copy_spoiled(name, below, fresh, spoil)
            there = self._digests(below, name)
            must_be_intact(backup["files"], there, "objects", checks)
            self._call("restore", name, str(fresh), below=below)
            fresh.chmod(0o700)
            forget_archiving(fresh)
        finally:
            if spoil:
                self._archive.do("purge", f"@{below}", what="removing the attempt's copy")

    def restore_command(self, fresh: Path) -> str:
        """Shell words: exit 1 only when the archive has no such segment, else above 125."""
        return shlex.quote(str(self._script("get-wal", "walrestore", '"$1" "$2"')))

    def _copy_spoiled(
        self, name: str, below: str, fresh: Path, spoil: Callable[[Path], None]
    ) -> None:
        scratch = fresh.with_name(fresh.name + ".objects")
        try:
            self._archive.do("copy", f"@{_BELOW}/{SERVER}/base/{name}", str(scratch), what="copy")
            spoil(scratch)
            self._archive.do("copy", str(scratch), f"@{below}/{SERVER}/base/{name}", what="copy")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _digests(self, below: str, name: str) -> dict[str, str]:
        """SHA-256 of every object of a backup, of its bytes as they are downloaded."""
        said = self._archive.do(
            *("hashsum", "sha256", "--download"),
            f"@{below}/{SERVER}/base/{name}",
            what="reading the backup's objects",
        )
        found = dict(line.split(maxsplit=1)[::-1] for line in said.splitlines())
        if not found:
            raise Stop(f"there is no object of backup {name}")
        return found

    # -- its programs

    def _backups(self) -> list[dict[str, Any]]:
        said = json.loads(self._call("backup_list", "--format", "json"))
        found: list[dict[str, Any]] = said["backups_list"]
        if not found:
            raise Stop("barman-cloud-backup-list lists no backup")
        return sorted(found, key=lambda one: str(one["backup_id"]))

    def _options(self, below: str = _BELOW) -> list[str]:
        archive = self._component
        options = ["--endpoint-url", archive["endpoint"], "--addressing-style", "path"]
        return [*options, f"s3://{archive['bucket']}/{archive['prefix']}/{below}", SERVER]

    def _settings(self) -> dict[str, str]:
        """The credentials stay in their file."""
        return {
            "AWS_SHARED_CREDENTIALS_FILE": self._component["credentials"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": self._component["region"],
            "AWS_EC2_METADATA_DISABLED": "true",
            # Newer boto3 sends trailing checksums that not every S3 takes.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }

    def _call(self, program: str, *arguments: str, below: str = _BELOW) -> str:
        """One program as ourselves; its output, or Stop with its last words."""
        options = self._options(below)
        words = [*arguments, *options]
        if program == "restore":
            words = [*options, *arguments]
        done = subprocess.run(
            [sys.executable, "-c", _RUN.format(program=program), *words],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **self._settings()},
        )
        if done.returncode != 0:
            raise Stop(f"barman-cloud {program}: {last_words(done.stderr or done.stdout)}")
        return done.stdout

    def _script(self, name: str, program: str, arguments: str) -> Path:
        """A program for the server's user, with all that it needs to know."""
        self.home.mkdir(mode=0o755, exist_ok=True)
        python, settings = self._runtime()
        lines = ["#!/bin/sh", f"# {name}: Barman Cloud {self.version}"]
        lines += [
            f"export {key}={shlex.quote(value)}"
            for key, value in {**self._settings(), **settings}.items()
        ]
        words = [str(python), "-c", _RUN.format(program=program), *self._options()]
        lines += [f"{shlex.join(words)} {arguments}", "code=$?"]
        # 1 is "no such segment"; the line, the bucket and the rest have codes of their own.
        lines += [
            "[ $code -le 1 ] && exit $code",
            f'echo "{name}: $1: barman-cloud ended with $code" >&2',
        ]
        path = self.home / name
        path.write_text("\n".join([*lines, "exit 200", ""]), "utf-8")
        path.chmod(0o755)
        return path

    def _runtime(self) -> tuple[Path, dict[str, str]]:
        """An interpreter with Barman that the server's user can run, and settings for it."""
        copy = self.home / "python"
        if self._can_run(Path(sys.executable), {}):
            return Path(sys.executable), {}
        base = Path(os.path.realpath(sys.executable))
        settings = {"PYTHONPATH": str(copy / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
        if not self._can_run(base, {}, import_it=False):
            library = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
            settings |= {"PYTHONHOME": str(copy), "LD_LIBRARY_PATH": str(copy / "lib")}
            if not (copy / library).exists():
                self._copy_interpreter(base, copy, library)
            base = copy / "bin" / base.name
        if not (copy / "site").exists():
            self._copy_packages(copy / "site")
        if not self._can_run(base, settings):
            raise Stop(f"{self._database.get('run-as')} cannot run barman-cloud; {base} fails")
        return base, settings

    def _can_run(self, python: Path, settings: dict[str, str], *, import_it: bool = True) -> bool:
        words = [str(python), "-c", "import barman.cloud, boto3" if import_it else "pass"]
        try:
            done = subprocess.run(
                words,
                capture_output=True,
                check=False,
                env={"PATH": "/usr/bin:/bin", **settings},
                cwd="/",
                **hand_over(self._database),
            )
        except PermissionError:
            return False
        return done.returncode == 0

    @staticmethod
    def _copy_interpreter(base: Path, copy: Path, library: str) -> None:
        skip = shutil.ignore_patterns(
            *("site-packages", "test", "tests", "idlelib", "tkinter", "ensurepip"),
            "config-*",
        )
        (copy / "bin").mkdir(parents=True)
        shutil.copy2(base, copy / "bin")
        fresh = copy / (library + ".new")
        shutil.copytree(Path(sys.base_prefix) / library, fresh, ignore=skip)
        for shared in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
            shutil.copy2(shared, copy / "lib")
        fresh.rename(copy / library)

    @staticmethod
    def _copy_packages(site: Path) -> None:
        fresh = site.with_name("site.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for one in needed():
            for file in one.files or []:
                source = Path(str(one.locate_file(file)))
                if ".." not in file.parts and source.is_file():
                    target = fresh / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)  # with its time: else its bytecode is void
                    target.chmod(0o644)
        fresh.rename(site)


def needed() -> list[importlib.metadata.Distribution]:
    """Barman Cloud's packages and theirs."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(_WANTED.items())
    while todo:
        name, extra = todo.pop()
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform, or optional: the first run would miss it
        for line in found[name].requires or []:
            head, _, marker = line.partition(";")
            optional = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
            match = re.match(r"[\w.-]+", head)
            if match and (not optional or optional[1] == extra):
                todo.append((match[0], ""))
    return list(found.values())
