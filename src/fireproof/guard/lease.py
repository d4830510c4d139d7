"""Two drills never hit one component at once: a lock a component, kept by the kernel."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from fireproof.errors import EnvironmentRefusal


def lease_folder() -> Path:
    """One a host and user; FIREPROOF_LEASES names another."""
    named = os.environ.get("FIREPROOF_LEASES")
    return Path(named or f"{tempfile.gettempdir()}/fireproof-leases-{os.getuid()}")


def make_lease_folder(folder: Path | None = None) -> Path:
    """The folder, made if need be; what keeps drills apart may not be another user's.

    Raises:
        EnvironmentRefusal: when there is no such place.
    """
    folder = folder or lease_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise EnvironmentRefusal(f"{folder}: belongs to another user; remove it")
    except OSError as error:
        raise EnvironmentRefusal(no_place(folder, error)) from error
    return folder


def no_place(folder: Path, error: OSError) -> str:
    """Why the lease folder cannot be used."""
    return (
        f"{error.filename or folder}: no place for leases: {error.strerror}; "
        "FIREPROOF_LEASES names another folder"
    )


class Lease:
    """Exclusive hold on components for as long as this process keeps it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or lease_folder()
        self._held: list[int] = []

    def take(self, identity: str, components: Iterable[str], holder: str, *, run: str = "") -> None:
        """Take all or none; a quarantine of ``run`` itself (its folder) does not keep it out.

        Raises:
            EnvironmentRefusal: when somebody drills one of them, naming who.
        """
        try:
            make_lease_folder(self._folder)
            for component in sorted(set(components)):
                self._take(identity, component, holder, run)
        except OSError as error:
            self.release()
            raise EnvironmentRefusal(no_place(self._folder, error)) from error
        except EnvironmentRefusal:
            self.release()
            raise

    def wait(
        self,
        identity: str,
        components: Iterable[str],
        holder: str,
        timeout_s: float,
        *,
        run: str = "",
    ) -> None:
        """Take all, waiting for others to end; raises as ``take`` does when that is too long."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            try:
                return self.take(identity, components, holder, run=run)
            except EnvironmentRefusal:
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(0.1)

    def quarantine(self, identity: str, components: Iterable[str], run: str) -> None:
        """Mark components whose fault could not be taken back; nobody drills them until lifted."""
        for component in components:
            with contextlib.suppress(OSError):
                self._mark(identity, component).write_text(run, "utf-8")

    def lift(self, identity: str, components: Iterable[str], run: str) -> None:
        """Remove the marks of that run."""
        for component in components:
            with contextlib.suppress(OSError):
                if self.quarantined_by(identity, component) == run:
                    self._mark(identity, component).unlink()

    def quarantined_by(self, identity: str, component: str) -> str | None:
        """Run folder whose undo failed on this component, if any."""
        try:
            return self._mark(identity, component).read_text("utf-8")
        except FileNotFoundError:
            return None

    def _path(self, identity: str, component: str, kind: str) -> Path:
        key = hashlib.sha256(f"{identity}\0{component}".encode()).hexdigest()[:32]
        return self._folder / f"{component}-{key}.{kind}"

    def _mark(self, identity: str, component: str) -> Path:
        return self._path(identity, component, "quarantine")

    def _take(self, identity: str, component: str, holder: str, run: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._path(identity, component, "lease"), flags, 0o600)
        self._held.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(fd, 200, 0).decode("utf-8", "replace") or "another run"
            raise EnvironmentRefusal(
                f"component {component!r} is under drill by {other}; wait for it to end"
            ) from None
        dirty = self.quarantined_by(identity, component)
        if dirty is not None and dirty not in (holder, run):
            raise EnvironmentRefusal(
                f"component {component!r} is in quarantine: a fault could not be taken back; "
                f"see to it, then: fireproof recover {dirty}"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, holder.encode(), 0)

    def release(self) -> None:
        """Give all of them back; the kernel does the same when this process dies."""
        while self._held:
            with contextlib.suppress(OSError):
                os.close(self._held.pop())
