"""What the ledger counts of its own refusals, and what it had counted before the spike."""

from __future__ import annotations

import os
import tempfile
import urllib.request
from pathlib import Path

LIMIT = int(os.environ["FP_LEDGER_CROWD_IN_FLIGHT_MAX"])


def metric(name: str) -> int:
    url = os.environ["FP_LEDGER_CROWD_URL"]
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310 - the lab's
        lines = answer.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))


def refused() -> int:
    """Since the process began, whoever spiked it."""
    return metric("ledger_shed_total")


def _file() -> Path:
    # The run's temporary folder: whoever ends the run removes it.
    return Path(tempfile.gettempdir(), "kept-refused-before")


def keep(count: int) -> None:
    _file().write_text(str(count), "ascii")


def kept() -> int:
    """And forgotten: the next drill keeps its own."""
    count = int(_file().read_text("ascii"))
    _file().unlink()
    return count
