"""Who runs here: an entry a run, locked for as long as anybody of the run lives.

A run enters first and then looks for a block; ``stop --all`` blocks first and then reads the roll.
Whatever the order of the four, the run sees the block or the stop sees the run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import RunFolder
from fireproof.guard.lease import lease_folder, make_lease_folder, no_place
from fireproof.guard.order import Order, block_file, read_order, write_order

_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """One run, as others see it."""

    path: Path
    run: str
    folder: Path
    drill: str
    environment: str

    def __str__(self) -> str:
        return f"{self.run} ({self.drill} on {self.environment})"

    def lives(self) -> bool:
        """Whether anybody of the run is still there."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not meet
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def wait(self, timeout_s: float) -> bool:
        """Wait until nobody of the run is left; False when that took too long."""
        give_up_at = time.monotonic() + timeout_s
        while self.lives():
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_LOOK_S)
        return True

    def stop(self, order: Order) -> Order:
        """Tell the run's guardian; the order in force."""
        return write_order(_order_file(self.path), order)


class Enrolled:
    """Our own entry."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path, self._fd = path, fd

    def asked(self) -> str | None:
        """Who wants this run stopped, and why; None as long as nobody does."""
        order = read_order(_order_file(self._path)) or read_order(block_file())
        return None if order is None else f"stopped {order}"

    def leave(self) -> None:
        """Take the entry back; a process that dies leaves it unlocked, and others remove it."""
        _remove(self._path)
        os.close(self._fd)


def enter(folder: RunFolder, *, drill: str, environment: str) -> Enrolled:
    """Put a run on the roll, before it looks whether it may start.

    Raises:
        EnvironmentRefusal: when there is no place for it; nobody could stop such a run.
    """
    place = make_lease_folder() / "running"
    body = {"folder": str(folder.root), "drill": drill, "environment": environment}
    draft = place / f".{folder.run}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, json.dumps(body).encode())
        os.rename(draft, place / folder.run)  # nobody sees it unlocked, or half written
    except OSError as error:
        raise EnvironmentRefusal(no_place(place, error)) from error
    return Enrolled(place / folder.run, fd)


def roll() -> list[Entry]:
    """Every run of this user on this machine, the dead ones that left something included.

    Raises:
        OSError: when it cannot be read.
    """
    place = lease_folder() / "running"
    found = []
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.name.startswith(".") or path.suffix == ".stop":
            continue
        try:
            body = json.loads(path.read_text("utf-8"))
            told = (str(body[name]) for name in ("drill", "environment"))
            entry = Entry(path, path.name, Path(body["folder"]), *told)
        except (ValueError, KeyError, TypeError, FileNotFoundError):
            continue
        if entry.lives() or _left_something(RunFolder(entry.folder)):
            found.append(entry)
        else:
            _remove(path)
    return found


def _left_something(folder: RunFolder) -> bool:
    return folder.read_result() is None and folder.has_begun


def _order_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.stop")


def _remove(path: Path) -> None:
    for file in (path, _order_file(path)):
        with contextlib.suppress(OSError):
            file.unlink()
