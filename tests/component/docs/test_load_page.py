"""docs/how-to/load.md does what it says: its blocks are run, in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from component.docs.test_how_to import _BLOCK, PAGES
from fireproof.model.load import Growth
from support.load import timed_server

pytestmark = pytest.mark.component


@pytest.mark.full
def test_a_reader_of_the_load_page_gets_what_it_says(tmp_path: Path) -> None:
    """The first load that somebody writes is this one."""
    page = (PAGES / "load.md").read_text()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIREPROOF_")}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    environ = kept | {"PATH": path, "FIREPROOF_LEASES": str(tmp_path / "leases")}
    with timed_server() as server:
        for language, option, value, text in _BLOCK.findall(page.replace("8080", str(server.port))):
            if option == "file":
                (tmp_path / value).parent.mkdir(exist_ok=True)
                (tmp_path / value).write_text(text)
            elif language == "sh":
                done = subprocess.run(
                    ["sh", "-c", text], cwd=tmp_path, env=environ, capture_output=True, text=True
                )
                assert done.returncode in (0, 6), done.stdout + done.stderr

    results = sorted(tmp_path.glob("evidence/runs/*/result.json"))
    assert len(results) == 2
    for path_of_result in results:
        result = json.loads(path_of_result.read_text())
        verdicts = {one["name"]: one["verdict"] for one in result["judgement"]["objectives"]}
        assert set(verdicts) == {"in-time", "nobody-turned-away", "verified-in-time"}
        if result["exit_code"] == 6:  # a machine so busy that the load was late says so itself
            assert "measurement invalid" in result["judgement"]["reason"]
        else:
            assert set(verdicts.values()) == {"met"}
    parts = tmp_path.glob("evidence/bundles/*/*/*/data/samples/traffic-1.parquet")
    assert len(list(parts)) == 1, "the second run had two workers"


def test_the_growth_objective_of_the_page_is_one() -> None:
    """It stands in a block of its own, which no run reads."""
    page = (PAGES / "load.md").read_text()
    block = next(text for _, _, _, text in _BLOCK.findall(page) if "growth: rss" in text)

    Growth.model_validate(yaml.safe_load(block)["objectives"]["no-leak"])
