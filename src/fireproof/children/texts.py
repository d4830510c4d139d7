"""Bounded texts, taken from what others wrote."""

from __future__ import annotations

import os
from pathlib import Path

LINE = 300  # characters of a detail; the whole text is in the outputs


def one_line(text: str, limit: int = LINE) -> str:
    """The text on one line, control characters out, shortened in the middle."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    half = (limit - 3) // 2
    return line if len(line) <= limit else f"{line[:half]} … {line[-half:]}"


def last_line(path: Path, limit: int = LINE) -> str:
    """The last line of a file that says something; empty when none does."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((one_line(line, limit) for line in reversed(lines) if line.strip()), "")
