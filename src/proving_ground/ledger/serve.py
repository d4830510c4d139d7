"""The ledger as a process: ``ledger PORT [--defect NAME]``, its settings in ``LEDGER_*``."""

from __future__ import annotations

import logging
import sys
import time

from proving_ground.ledger import defects
from proving_ground.ledger.listeners import listen
from proving_ground.ledger.logs import set_up_logs
from proving_ground.ledger.settings import BAD_CONFIGURATION, Settings, load_settings


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, then answer what was begun; 78 before the port opens: wrong settings."""
    rest = defects.take(argv, "ledger")
    if len(rest) != 1 or not rest[0].isdigit():
        print("usage: python -m proving_ground ledger PORT [--defect NAME]", file=sys.stderr)
        return 2
    settings = load_settings()
    if not isinstance(settings, Settings):
        logger = set_up_logs("ledger", "info", "")
        if defects.on("ends-late"):
            time.sleep(6.0)
        logger.critical("wrong configuration", extra={"problems": settings})
        return BAD_CONFIGURATION
    set_up_logs(settings.instance, settings.log_level, settings.log_file)
    listen(settings, int(rest[0]))
    logging.getLogger("ledger").info("ended")
    return 0
