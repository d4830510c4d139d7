"""Where a run keeps its things until it is sealed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireproof.journal import read_bytes, sync_folder
from fireproof.model.record import Record


def new_run_id() -> str:
    """UUID version 7 (RFC 9562 §5.7): sorts by time of creation."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``<evidence>/runs/<run>``: the bag in the making, the lock, and after the end the result."""

    root: Path

    @property
    def run(self) -> str:
        return self.root.name

    @property
    def evidence(self) -> Path:
        return self.root.parent.parent

    @property
    def bag(self) -> Path:
        return self.root / "bag"

    @property
    def data(self) -> Path:
        return self.bag / "data"

    @property
    def journal(self) -> Path:
        return self.data / "journal.jsonl"

    @property
    def ballast(self) -> Path:
        return self.root / "ballast"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def abandoned(self) -> Path:
        """Where it says who gave the undo up; the sweeper leaves such a run to people."""
        return self.root / "abandoned.json"

    def create(self) -> int:
        """Make the folder and take its lock; returns the lock's descriptor.

        Raises:
            OSError: when it cannot be made; nothing of it is left then.
        """
        self.data.mkdir(parents=True)
        fd = self.try_lock()
        if fd is None:
            raise BlockingIOError(f"{self.lock} is held by somebody else")
        # A power cut may not leave a fault whose intent is durable in a folder that is not.
        for folder in (self.bag, self.root, self.root.parent, self.evidence):
            sync_folder(folder)
        return fd

    @property
    def sealed(self) -> Path | None:
        """Where the run's bundle is, if it has been sealed."""
        return next(iter((self.evidence / "bundles").glob(f"*/*/{self.run}")), None)

    def records(self) -> tuple[Record, ...]:
        """Whole records of the journal so far; none when there is no journal."""
        try:
            return read_bytes(self.journal.read_bytes()).records
        except FileNotFoundError:
            return ()

    @property
    def has_begun(self) -> bool:
        """Whether anything can have been touched: before the first whole line nothing was.

        A line that is damaged counts: it was whole once.
        """
        try:
            return self.sealed is not None or b"\n" in self.journal.read_bytes()
        except FileNotFoundError:
            return False

    @property
    def is_down(self) -> bool:
        """Whether the way down was recorded to its end, and found nothing left."""
        if self.sealed is not None:
            return True
        last = self.records()[-1:]
        return bool(last) and last[0].kind == "residue" and last[0].data["clean"] is True

    def wait_for_lock(self, timeout_s: float) -> int | None:
        """The run's lock once its owner is gone, or None."""
        give_up_at = time.monotonic() + timeout_s
        while (fd := self.try_lock()) is None and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return fd

    def try_lock(self) -> int | None:
        """Descriptor of the run's exclusive lock, or None while its owner lives."""
        fd = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def write_result(self, result: dict[str, Any]) -> None:
        """The machine-readable end of a run: make flattens exit codes, this does not."""
        draft = self.result.with_suffix(".tmp")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(result, file, indent=2, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.result)
        sync_folder(self.root)

    def read_result(self) -> dict[str, Any] | None:
        """The result, or None when the run has not come to its end."""
        try:
            value = json.loads(self.result.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def discard(self) -> None:
        """Remove a folder whose journal has not one whole record."""
        plan = (self.bag / "plan.json", self.bag / "plan.sigstore.json")
        approvals = self.data / "approvals"
        for path in (self.ballast, self.journal, *plan, *approvals.glob("*"), self.lock):
            with contextlib.suppress(OSError):
                path.unlink()
        for folder in (approvals, self.data, self.bag, self.root):
            with contextlib.suppress(OSError):
                folder.rmdir()
