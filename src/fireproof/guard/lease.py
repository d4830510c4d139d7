"""Two drills never hit one component at once: a lock a component, kept by the kernel."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from fireproof.errors import EnvironmentRefusal


def lease_folder() -> Path:
    """One a host and user; a host's users who share a target set FIREPROOF_LEASES alike."""
    named = os.environ.get("FIREPROOF_LEASES")
    return Path(named or f"{tempfile.gettempdir()}/fireproof-leases-{os.getuid()}")


class Lease:
    """Exclusive hold on components for as long as this process keeps it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or lease_folder()
        self._held: list[int] = []

    def take(self, identity: str, components: Iterable[str], holder: str) -> None:
        """Take all or none.

        Raises:
            EnvironmentRefusal: when somebody drills one of them, naming who.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise EnvironmentRefusal(f"{self._folder}: belongs to another user; remove it")
        for component in sorted(set(components)):
            key = hashlib.sha256(f"{identity}\0{component}".encode()).hexdigest()[:32]
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(self._folder / f"{component}-{key}.lease", flags, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                other = os.pread(fd, 200, 0).decode("utf-8", "replace") or "another run"
                os.close(fd)
                self.release()
                raise EnvironmentRefusal(
                    f"component {component!r} is under drill by {other}; wait for it to end"
                ) from None
            os.ftruncate(fd, 0)
            os.pwrite(fd, holder.encode(), 0)
            self._held.append(fd)

    def release(self) -> None:
        """Give all of them back; the kernel does the same when this process dies."""
        while self._held:
            with contextlib.suppress(OSError):
                os.close(self._held.pop())
