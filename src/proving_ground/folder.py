"""The lab's folder: where it may lie, what lies where in it, one owner at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from fireproof.errors import EnvironmentRefusal

MARKER = ".fireproof-lab"  # only a folder that holds this is ever removed
_LOCK_WITHIN_S = 120.0
_NEEDED_BYTES = 300 * 2**20  # binaries, an empty cluster and ten minutes of archived WAL
_NEEDED_BYTES_PER_SCALE = 200 * 2**20  # the data, its base backup, the restored copy, scratch


def default_root() -> Path:
    """``FIREPROOF_LAB_DIR``, else a folder of this user and this checkout under /var/tmp."""
    named = os.environ.get("FIREPROOF_LAB_DIR")
    if named:
        return Path(named)
    here = hashlib.sha256(os.fsencode(os.path.realpath("."))).hexdigest()[:8]
    return Path("/var/tmp") / f"fireproof-lab-{os.geteuid()}-{here}"  # noqa: S108 - claim() refuses foreign folders and links


def server_user() -> tuple[int, int] | None:
    """Who the servers run as: ``nobody`` when we are root (Postgres refuses root), else us."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise EnvironmentRefusal(
            "run as root, the lab needs the user 'nobody' for its servers and there is none; "
            "run it as an ordinary user"
        ) from None
    return entry.pw_uid, entry.pw_gid


class LabFolder:
    """Paths and ownership of one lab."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.bin = self.root / "bin"
        self.run = self.root / "run"
        self.log = self.root / "log"
        self.secrets = self.root / "secrets"
        self.servers = self.root / "servers"
        self.software = self.root / "software"
        self.database = self.root / "ledger-db"
        self.archive = self.root / "archive"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One ``up`` or ``down`` at a time. The lock lies beside the folder and goes with it."""
        path = self.root.with_name(self.root.name + ".lock")
        give_up_at = time.monotonic() + _LOCK_WITHIN_S
        while True:
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as err:
                raise EnvironmentRefusal(
                    f"no lab can be made at {str(self.root)!r}: {err.strerror}; "
                    "set FIREPROOF_LAB_DIR to a place you may write to"
                ) from err
            try:
                while not _try_lock(lock):
                    if time.monotonic() > give_up_at:
                        raise EnvironmentRefusal(
                            f"another lab command has held {str(path)!r} for {_LOCK_WITHIN_S:g} s"
                        )
                    time.sleep(0.05)
                with contextlib.suppress(OSError):
                    if os.stat(path).st_ino == os.fstat(lock).st_ino:  # not removed meanwhile
                        yield
                        return
            finally:
                if not self.is_lab():  # gone, or never was one: no lock is left either
                    path.unlink(missing_ok=True)
                os.close(lock)

    def claim(self, scale: int) -> None:
        """Make the folder, ours alone and empty but for its parts.

        Raises:
            EnvironmentRefusal: when it is not a place for a lab, with the next move.
        """
        self.refuse_foreign()
        root = str(self.root)
        try:
            self.root.mkdir(mode=0o711, exist_ok=True)
            if any(self.root.iterdir()):
                raise EnvironmentRefusal(
                    f"{root!r} holds something that is no lab; nothing there was touched; "
                    "set FIREPROOF_LAB_DIR to a new folder"
                )
            self.root.chmod(0o711)
            (self.root / MARKER).write_text("{}", "utf-8")
            shared = (self.bin, self.log, self.secrets, self.software, self.database, self.archive)
            for folder in shared:
                folder.mkdir()
                folder.chmod(0o711)
            for folder in (self.run, self.servers):
                folder.mkdir(mode=0o700)
        except OSError as err:
            raise EnvironmentRefusal(
                f"no lab can be made at {root!r}: {err.strerror}; "
                "set FIREPROOF_LAB_DIR to a place you may write to"
            ) from err
        needed = _NEEDED_BYTES + scale * _NEEDED_BYTES_PER_SCALE
        free = shutil.disk_usage(self.root).free
        if free < needed:
            raise EnvironmentRefusal(
                f"{root!r} has {free // 2**20} MiB free and SCALE={scale} needs "
                f"{needed // 2**20} MiB; free some, lower SCALE, or set FIREPROOF_LAB_DIR"
            )

    def refuse_foreign(self) -> None:
        """Whether the place is ours to use and to remove; raises when it is not."""
        root = str(self.root)
        for above in (self.root, *self.root.parents):
            if (above / ".git").exists():
                raise EnvironmentRefusal(
                    f"the lab may not lie inside the checkout {str(above)!r}; "
                    "set FIREPROOF_LAB_DIR to a folder outside it"
                )
        try:
            found = self.root.lstat()
        except OSError:
            found = None
        if found and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid()):
            raise EnvironmentRefusal(
                f"{root!r} is not a folder of yours; set FIREPROOF_LAB_DIR to another place"
            )
        if server_user() is not None:
            for above in self.root.resolve().parents:
                if above.exists() and not above.stat().st_mode & stat.S_IXOTH:
                    raise EnvironmentRefusal(
                        f"run as root, the lab's servers run as 'nobody', who cannot enter "
                        f"{str(above)!r}; set FIREPROOF_LAB_DIR to a folder outside it"
                    )

    def is_lab(self) -> bool:
        """Whether a lab was begun here."""
        return (self.root / MARKER).is_file()

    def note_ports(self, ports: list[int]) -> None:
        """Remember which ports were taken, for the look that ``down`` takes at the end."""
        (self.root / MARKER).write_text(json.dumps({"ports": ports}), "utf-8")

    def ports(self) -> list[int]:
        """Ports of ``note_ports``."""
        try:
            found: list[int] = json.loads((self.root / MARKER).read_text("utf-8"))["ports"]
        except (OSError, ValueError, KeyError):
            return []
        return found

    def secret(self, name: str, text: str, owner: tuple[int, int] | None = None) -> Path:
        """A file only its owner reads; it is never readable by others, not even for an instant."""
        path = self.secrets / name
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if owner:
                os.fchown(file.fileno(), *owner)
        return path

    def script(self, name: str, text: str) -> Path:
        """An executable that every user of the lab may run."""
        path = self.bin / name
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return path


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
