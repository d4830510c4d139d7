"""The scenarios that ship for the ledger, against the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fireproof.load import check_locustfile
from fireproof.model.load import Load
from support.load import run_load

pytestmark = pytest.mark.component

PROJECT = Path(__file__).parents[3]


def test_every_scenario_of_the_ledger_is_answered_as_it_should_be(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """A drill under load would otherwise blame the system for what its locustfile does wrong."""
    load = Load.model_validate(
        {
            "locustfile": "drills/load/ledger.py",
            "target": components["ledger-api"]["url"],
            "stages": [{"for": "2s", "rate": "20/s", "to": "60/s"}],
            "scenarios": {"encode": 2, "verify": 2, "mixed": 1, "error-injection": 1},
            "options": {"tenant": "scenarios"},
        }
    )

    assert check_locustfile(load, PROJECT) is None
    done = run_load(tmp_path, load, project=PROJECT)

    rows = pq.read_table(tmp_path / "bag" / done.ended.files[0]).to_pylist()
    assert len(rows) == 80
    assert [row for row in rows if row["outcome"] != "good"] == [], done.ended.complaint
    statuses = {(row["scenario"], row["status"]) for row in rows}
    assert {("encode", 201), ("verify", 200), ("mixed", 200)} <= statuses
    assert all(400 <= code < 500 for name, code in statuses if name == "error-injection")
