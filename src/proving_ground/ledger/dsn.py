"""The database's DSN in a file: when it changes, connections move to the new login role."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from proving_ground.ledger import defects

logger = logging.getLogger("ledger")


class DsnFile:
    """Given to the pool as a function, so that each new connection uses what stands there now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dsn = path.read_text("utf-8").strip()

    def __call__(self) -> str:
        return self._dsn

    async def look(self, renew: Callable[[], Awaitable[None]]) -> bool:
        """Take over a changed DSN and renew the connections; whether that happened."""
        try:
            text = self._path.read_text("utf-8").strip()
        except OSError:
            return False
        if not text or text == self._dsn or defects.on("login-never-renewed"):
            return False
        self._dsn = text
        await renew()
        logger.info("database login renewed", extra={"event": "login-renewed"})
        return True
