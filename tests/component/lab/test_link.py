"""The line between the ledger and its database, spoiled and mended."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fireproof.faults import load_faults
from fireproof.model.environment import Environment
from proving_ground.lab import Lab
from support.steps import step_context

pytestmark = pytest.mark.component


def ready(url: str) -> tuple[bool, float]:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310
            good = answer.status == 200
    except (urllib.error.URLError, TimeoutError):
        good = False
    return good, time.monotonic() - began


def wait_ready(url: str) -> None:
    give_up_at = time.monotonic() + 10
    while not ready(url)[0]:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("stall", {}), ("black-hole", {}), ("reset", {}), ("latency", {"delay": "400ms"})],
)
def test_a_spoiled_line_takes_the_ledger_away_and_nobody_else(
    lab: Lab, components: dict[str, Any], tmp_path: Path, kind: str, more: dict[str, str]
) -> None:
    """A drill of the network must not need root, nor blind the read of the canary."""
    import psycopg

    url = components["ledger-api"]["url"]
    environment = Environment.model_validate(lab.environment()).model_dump(
        mode="json", by_alias=True
    )
    context = step_context(tmp_path, environment["components"])
    fault = load_faults([kind])[kind]
    params = fault.params.model_validate({kind: "ledger-link", **more})
    wait_ready(url)
    undo = json.loads(json.dumps(fault.prepare(params, context)))

    fault.apply(undo, context)
    spoiled, _ = ready(url)
    with psycopg.connect(components["ledger-db"]["dsn"], connect_timeout=2) as connection:
        row = connection.execute("SELECT 1").fetchone()
    fault.undo(undo, recovered=False, deadline_ns=time.monotonic_ns() + 10**10)

    assert not spoiled
    assert row == (1,)
    assert fault.present(undo, recovered=False) is None
    wait_ready(url)


@pytest.mark.full
def test_the_line_can_be_left_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures the ledger itself does not want a proxy in the numbers."""
    monkeypatch.setenv("LEDGER_LINK", "direct")
    direct = Lab(place)
    direct.up(report=lambda _: None)
    parts = direct.environment()["components"]
    wait_ready(parts["ledger-api"]["url"])

    assert "ledger-link" not in parts
    assert direct.down(report=lambda _: None) == []
