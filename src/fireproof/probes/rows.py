"""Sample rows on their way to the file: whole lines, straight to the kernel."""

from __future__ import annotations

import os


class RowWriter:
    """Appends whole lines. What was flushed survives the death of the process that wrote it."""

    def __init__(self, path: str, header: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o644)
        self._waiting: list[str] = []
        self.rows = 0
        self._write(header + "\n")

    def add(self, row: str) -> None:
        """Keep a row for the next flush."""
        self._waiting.append(row)
        self.rows += 1

    def add_now(self, row: str) -> None:
        """Hand a row to the kernel before returning."""
        self.add(row)
        self.flush()

    def flush(self) -> None:
        if self._waiting:
            text = "\n".join(self._waiting) + "\n"
            self._waiting.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        left = memoryview(text.encode("ascii"))
        while left:
            left = left[os.write(self._fd, left) :]
