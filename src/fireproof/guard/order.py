"""An order to stop: who gave it, when and why, in a file that outlives whoever wrote it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
from dataclasses import asdict, dataclass
from pathlib import Path

from fireproof.clock import utc_label
from fireproof.guard.lease import lease_folder, make_lease_folder
from fireproof.journal import sync_folder

_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants stopped, or has given up."""

    who: str
    at: str  # UTC label
    why: str

    def __str__(self) -> str:
        return f"by {self.who} at {self.at}" + (f": {self.why}" if self.why else "")


def new_order(why: str) -> Order:
    """An order of this user, now."""
    try:
        who = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        who = f"user {os.getuid()}"
    return Order(who, utc_label(), " ".join(why.split()))


def read_order(path: Path) -> Order | None:
    """The order in a file; None when there is no file. One that cannot be read is an order too."""
    try:
        # Neither a symlink to nowhere nor a pipe is "no order".
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error.strerror)
    try:
        with open(fd, "rb") as file:
            body = json.loads(file.read(_MOST_BYTES))
        return Order(*(str(body[name]) for name in ("who", "at", "why")))
    except OSError as error:
        return _unreadable(path, error.strerror)
    except (ValueError, KeyError, TypeError):
        return _unreadable(path, "not an order")


def _unreadable(path: Path, why: str | None) -> Order:
    return Order("somebody", "some time", f"{path} cannot be read ({why}), and counts")


def write_order(path: Path, order: Order) -> Order:
    """Put an order in place, durably; one that is there already stands, and is returned.

    Raises:
        OSError: when it cannot be written; nothing is stopped by it then.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(order), file, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # all of it at once, and never in the place of another
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
    return read_order(path) or order


def block_file() -> Path:
    """Beside the leases: one a host and user."""
    return lease_folder() / "block.json"


def block(order: Order) -> Order:
    """Keep every drill of this user on this machine from starting; the block in force.

    Raises:
        EnvironmentRefusal, OSError: when it cannot be written.
    """
    make_lease_folder()
    return write_order(block_file(), order)


def why_blocked() -> str | None:
    """What keeps drills from starting, with the next move; None when nothing does."""
    order = read_order(block_file())
    if order is None:
        return None
    return f"drills are blocked {order}; once that is over: fireproof unblock"
