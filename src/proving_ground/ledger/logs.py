"""One JSON object a line on standard output, each request with its id."""

from __future__ import annotations

import json
import logging
import sys
from logging import StreamHandler
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from fireproof.clock import utc_label
from proving_ground.ledger import defects

_FIELDS = (
    *("request_id", "method", "path", "status", "took_ms", "detail", "problems"),
    *("event", "tenant"),
)


class JsonLines(logging.Formatter):
    """Fixed fields only: bodies and headers never reach a log."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance
        self._lines = 0

    def format(self, record: logging.LogRecord) -> str:
        self._lines += 1  # a gap in the numbers is a lost line
        line: dict[str, Any] = {"at": utc_label(), "level": record.levelname.lower()}
        line |= {"instance": self._instance, "n": self._lines}
        line["message"] = record.getMessage()
        line |= {key: getattr(record, key) for key in _FIELDS if hasattr(record, key)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Renamed(WatchedFileHandler):
    """Opens its file anew before the next line once it was renamed, so that rotating loses none."""

    def emit(self, record: logging.LogRecord) -> None:
        if defects.on("loses-line-at-rotation") and not Path(self.baseFilename).exists():
            self.format(record)
            self.reopenIfNeeded()
            return
        super().emit(record)


def set_up_logs(instance: str, level: str, path: str) -> logging.Logger:
    """The service's logger, from that level on; libraries speak up from warnings on."""
    handler = Renamed(path, encoding="utf-8") if path else StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(instance))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # The pool warns at every failed attempt, dozens a second while the database is away; the
    # answers to requests say the same.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logger = logging.getLogger("ledger")
    logger.setLevel("DEBUG" if defects.on("log-level-ignored") else level.upper())
    return logger
