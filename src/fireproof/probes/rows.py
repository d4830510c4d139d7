"""Sample rows on their way to the file: whole lines, straight to the kernel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue


class RowWriter:
    """Appends whole lines. What was flushed survives the death of the process that wrote it.

    A write may have to wait for a disk that a restore keeps busy, and the schedule may not: so
    ``flush_behind`` leaves the waiting to a thread.
    """

    def __init__(self, path: str, header: str, *, failed: Callable[[OSError], None]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o644)
        self._failed = failed
        self._waiting: list[str] = []
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.rows = 0
        self._write(header + "\n")

    def add(self, row: str) -> None:
        """Keep a row for the next flush."""
        self._waiting.append(row)
        self.rows += 1

    def add_now(self, row: str) -> None:
        """Hand a row to the kernel before returning; not to be mixed with ``flush_behind``."""
        self.rows += 1
        self._write(row + "\n")

    def flush_behind(self) -> None:
        """Hand what waits to the thread that writes."""
        if not self._waiting:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._drain, name="rows", daemon=True)
            self._thread.start()
        self._queue.put("\n".join(self._waiting) + "\n")
        self._waiting.clear()

    def close(self) -> None:
        """Everything is with the kernel when this returns."""
        self.flush_behind()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _drain(self) -> None:
        while (text := self._queue.get()) is not None:
            self._write(text)

    def _write(self, text: str) -> None:
        left = memoryview(text.encode("ascii"))
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            self._failed(error)
