"""The ledger as a process: ``ledger PORT``, with its DSN in ``LEDGER_DSN``."""

from __future__ import annotations

import os
import sys

import uvicorn

from proving_ground.ledger.app import Ledger
from proving_ground.ledger.logs import set_up_logs
from proving_ground.ledger.store import Store


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, then answer what was begun."""
    dsn = os.environ.get("LEDGER_DSN", "")
    if len(argv) != 1 or not argv[0].isdigit() or not dsn:
        print("usage: LEDGER_DSN=... python -m proving_ground ledger PORT", file=sys.stderr)
        return 2
    set_up_logs()
    uvicorn.run(
        Ledger(Store(dsn)).app(),
        host="127.0.0.1",
        port=int(argv[0]),
        loop="asyncio",
        http="h11",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return 0
