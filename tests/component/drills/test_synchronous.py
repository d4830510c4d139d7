"""The synchronous drill: what was acknowledged is in a second place, or the drill goes red."""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.lab_project import LabProject
from support.scenario import Ran

pytestmark = pytest.mark.component


def data_loss(ran: Ran) -> dict[str, Any]:
    assert ran.result is not None, ran.stderr
    found = ran.result["judgement"]["objectives"]
    return next(dict(one) for one in found if one["name"] == "data-loss")


@pytest.mark.full
def test_a_write_acknowledged_synchronously_is_never_lost(project: LabProject) -> None:
    """The promise that archiving alone cannot make: nothing lost, not even the last moment."""
    ran = project.run(project.drill("backup-restore-synchronous"))

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert data_loss(ran)["reason"].startswith("no acknowledged write lost")
    assert project.verify(ran.bundle) == 0


@pytest.mark.detection
@pytest.mark.skipif(
    os.environ.get("FIREPROOF_DETECTION") != "all", reason="make test-detection runs it"
)
def test_a_second_place_that_lags_is_noticed(project: LabProject) -> None:
    """A receiver that hangs while the server no longer waits for it loses what was promised."""
    project.up()
    drill = project.drill("backup-restore-synchronous")
    drill["baseline"]["for"] = "2s"
    pid_file = project.component("wal-receiver")["control"]["pid-file"]
    drill["baseline"]["steps"] += [
        project.psql("ALTER SYSTEM SET synchronous_commit = local"),
        project.psql("SELECT pg_reload_conf()"),
        {"process": ["sh", "-c", f"kill -STOP $(cat '{pid_file}')"], "timeout": "5s"},
    ]

    ran = project.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert data_loss(ran)["verdict"] == "missed"
