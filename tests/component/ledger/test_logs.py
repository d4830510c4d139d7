"""The service's log: levels, and files that are renamed under it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from support.one_ledger import one_ledger

pytestmark = pytest.mark.component
NOWHERE = "host=127.0.0.1 port=1 connect_timeout=1"


def test_a_renamed_file_loses_no_line_and_the_level_holds(tmp_path: Path) -> None:
    """Rotation happens at night; a lost line is the one that somebody looks for."""
    log = tmp_path / "ledger.log"
    settings = {"dsn": NOWHERE, "log_file": str(log), "log_level": "info"}
    with one_ledger(tmp_path / "stdout", **settings) as ledger:
        for turn in range(30):
            ledger.get("/nowhere")
            if turn % 10 == 5:
                log.rename(tmp_path / f"ledger.log.{turn}")
        time.sleep(0.2)
    quiet = {**settings, "log_file": str(tmp_path / "quiet.log"), "log_level": "error"}
    with one_ledger(tmp_path / "stdout", **quiet) as ledger:
        ledger.get("/nowhere")
    texts = [path.read_text("utf-8") for path in tmp_path.glob("ledger.log*")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]

    assert len(texts) == 4
    numbers = sorted(line["n"] for line in lines)
    assert numbers == list(range(1, len(numbers) + 1))
    assert sum(line["message"] == "request" for line in lines) == 30
    assert (tmp_path / "quiet.log").read_text("utf-8") == ""
