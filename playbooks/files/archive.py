"""What the backup and the restore have in common: the archive, commands, and the handing back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

PIECE = "64m"  # below the size from which S3 uploads in parts and its ETag is no longer an MD5
FLAGS = ["--retries", "2", "--low-level-retries", "3", "--contimeout", "5s", "--timeout", "60s"]
FLAGS += ["--log-level", "ERROR", "--transfers", "4", "--checksum"]


class Stop(Exception):
    """Why it cannot go on, in one line."""


def ask() -> dict[str, Any]:
    """What the playbook wants, from standard input."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    return wanted


def run(argv: Sequence[str], what: str) -> str:
    """Standard output of a command, or Stop with its last words."""
    try:
        done = subprocess.run(
            list(argv), capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as err:
        raise Stop(f"{what}: {err}") from err
    if done.returncode != 0:
        raise Stop(f"{what}: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def last_words(text: str) -> str:
    """The line that tells most: the last with an error in it, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (errors or lines or ["no words"])[-1]


class Archive:
    """The part of a bucket that is this ledger's."""

    def __init__(self, component: dict[str, str]) -> None:
        self._rclone = [component["rclone"], "--config", component["rclone-config"], *FLAGS]
        self.remote = component["remote"]

    def do(self, act: str, *paths: str, what: str) -> str:
        """One rclone command; a path that starts with ``@`` is in the archive."""
        there = [f"{self.remote}/{path[1:]}" if path.startswith("@") else path for path in paths]
        return run([*self._rclone, act, *there], what)

    def read_json(self, path: str, what: str) -> Any:
        """The object at that path."""
        text = self.do("cat", f"@{path}", what=what)
        if not text.strip():  # to rclone a missing object is an empty folder, not an error
            raise Stop(f"{what}: there is no {path} in the archive")
        try:
            return json.loads(text)
        except ValueError as err:
            raise Stop(f"{what}: {path} in the archive is not JSON") from err

    def write_json(self, path: str, value: Any, what: str) -> None:
        """Put an object there."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "value.json"
            file.write_text(json.dumps(value, indent=1), "utf-8")
            self.do("copyto", str(file), f"@{path}", what=what)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def lsn(text: str) -> int:
    """A WAL position as a number."""
    high, _, low = text.partition("/")
    try:
        return (int(high, 16) << 32) + int(low, 16)
    except ValueError as err:
        raise Stop(f"{text!r} is no WAL position") from err


class Checks:
    """Comparisons that become checks of the run; written after each, so that none is lost."""

    def __init__(self, outputs: str) -> None:
        self._folder = Path(outputs)
        self._found: list[dict[str, Any]] = []
        with contextlib.suppress(FileNotFoundError):  # of an earlier task of the same playbook
            self._found = json.loads((self._folder / "checks.json").read_text("utf-8"))

    def add(self, name: str, ok: bool | None, expected: str, observed: str) -> None:
        self._found.append({"name": name, "ok": ok, "expected": expected, "observed": observed})
        fresh = self._folder / "checks.json.new"
        fresh.write_text(json.dumps(self._found, indent=1), "utf-8")
        os.replace(fresh, self._folder / "checks.json")

    def must(self, name: str, ok: bool, expected: str, observed: str) -> None:
        """Add it, and stop when it does not hold."""
        self.add(name, ok, expected, observed)
        if not ok:
            raise Stop(f"{name}: expected {expected}, got {observed}")

    def save(self, text: str) -> None:
        """The value of the step."""
        (self._folder / "saved").write_text(text, "utf-8")


def obey(act: Callable[[dict[str, Any], Checks], object], *also: type[Exception]) -> None:
    """Act as standard input says; exit 1 with the reason when it cannot be done."""
    known: tuple[type[Exception], ...] = (Stop, OSError, KeyError, ValueError, *also)
    try:
        wanted = ask()
        act(wanted, Checks(wanted["outputs"]))
    except known as err:
        fail(err)


def fail(err: Exception) -> NoReturn:
    """One line that says why, and exit 1."""
    print(str(err).replace("\n", " "), file=sys.stderr)
    raise SystemExit(1)
