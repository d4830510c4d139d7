"""The defects that only load shows are there when they are switched on, and not otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fireproof.probes.resources import Held, read_held
from proving_ground.lab import Lab
from support.one_ledger import OneLedger, one_ledger, service_dsn

pytestmark = pytest.mark.component
APPENDS = 60


def _held(ledger: OneLedger) -> Held:
    found = read_held(ledger.process.pid)
    assert found is not None
    return found


def _growth(ledger: OneLedger, what: str) -> float:
    for number in range(10):  # a pool that opens its connections is no leak
        ledger.append(f"warm-{time.monotonic_ns()}-{number}")
    before = _held(ledger)
    for number in range(APPENDS):
        assert ledger.append(f"wear-{time.monotonic_ns()}-{number}").status_code == 201
    after = _held(ledger)
    return float(getattr(after, what) - getattr(before, what))


def keeps_its_memory(ledger: OneLedger) -> bool:
    return _growth(ledger, "rss_bytes") < APPENDS * 100 * 1024


def keeps_its_handles(ledger: OneLedger) -> bool:
    return _growth(ledger, "handles") < APPENDS / 2


def reads_at_once(ledger: OneLedger) -> bool:
    seq = ledger.append(f"read-{time.monotonic_ns()}").json()["seq"]
    began = time.monotonic()
    assert ledger.get(f"/v1/t/events/{seq}").status_code == 200
    return time.monotonic() - began < 1.4


CASES: dict[str, Callable[[OneLedger], bool]] = {
    "leaks-memory": keeps_its_memory,
    "leaks-handles": keeps_its_handles,
    "slow-reads": reads_at_once,
}


@pytest.mark.parametrize("name", CASES)
def test_a_defect_of_wear_is_seen_and_its_absence_too(name: str, lab: Lab, tmp_path: Path) -> None:
    """A soak that stayed green with it would watch nothing."""
    dsn = service_dsn(lab)

    with one_ledger(tmp_path / "healthy.log", dsn=dsn) as healthy:
        assert CASES[name](healthy)
    with one_ledger(tmp_path / "defective.log", name, dsn=dsn) as defective:
        assert not CASES[name](defective)
