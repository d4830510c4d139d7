"""A lab that runs what is asked for and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from proving_ground.components import STANDARD
from proving_ground.lab import Lab
from support.small_lab import small_lab

pytestmark = pytest.mark.component


def quiet(_: str) -> None:
    """A report nobody reads."""


def test_a_lab_grows_by_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill of one component must not wait for seven; the next one keeps the first one's data."""
    with small_lab("ledger-db") as lab:
        alone = set(lab.environment()["components"])
        before = (lab.status() or {})["ledger-db"]
        lab.up(components=["ledger-api"], report=quiet)
        grown = lab.environment()["components"]
        monkeypatch.setenv("FIREPROOF_LAB_DEFECTS", "no-request-id")
        with pytest.raises(EnvironmentRefusal, match=r"other defects \(none\)"):
            lab.up(components=["ledger-api"], report=quiet)

        assert alone == {"archive", "ledger-db"}
        assert set(grown) == {*alone, "ledger-link", "ledger-api"}
        assert (lab.status() or {})["ledger-db"] == before
        assert all(found["ready"] for found in (lab.status() or {}).values())


def test_what_the_lab_does_not_know_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """Before anything is built."""
    with pytest.raises(EnvironmentRefusal, match="did you mean 'ledger-db'"):
        Lab(tmp_path / "lab").up(components=["ledger-bd"], report=quiet)
    assert list(tmp_path.iterdir()) == []


def test_drills_of_the_old_system_find_all_of_it(tmp_path: Path) -> None:
    """They name the database and write through the service."""
    lab = Lab(tmp_path)

    assert set(lab.for_drills({"ledger-db", "saved"})) == set(STANDARD)
    assert set(lab.for_drills({"nobody"})) == set(STANDARD)
