"""Defects that only time and load show: what a soak must notice. Without one, nothing happens."""

from __future__ import annotations

import asyncio
import contextlib
import os

from proving_ground.ledger import defects

_LEAK_BYTES = 256 * 1024
_SLOW_S = 1.5


class Wear:
    """What this process has kept and should not have."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._open: list[int] = []

    def append(self) -> None:
        """Called for each appended event."""
        if defects.on("leaks-memory"):
            self._kept.append(os.urandom(_LEAK_BYTES))  # pages of zeros would not be resident
        if defects.on("leaks-handles"):
            with contextlib.suppress(OSError):  # at the limit the service itself fails soon enough
                self._open.append(os.open(os.devnull, os.O_RDONLY))

    async def read(self) -> None:
        """Called for each event that is read."""
        if defects.on("slow-reads"):
            await asyncio.sleep(_SLOW_S)
