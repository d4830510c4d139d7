"""The shipped drills on the Postgres of Debian."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.backup_tools import assert_passed, run_twice_if_busy
from support.debian import need
from support.lab_project import LabProject

pytestmark = [pytest.mark.component, pytest.mark.full, pytest.mark.debian]


@pytest.mark.parametrize("drill", ["backup-restore", "backup-restore-synchronous"])
def test_the_drills_pass_on_debians_postgres(
    drill: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`POSTGRES=system make drill-...` is promised in the README of the lab."""
    need("/usr/lib/postgresql/15/bin/postgres", "postgresql")
    monkeypatch.setenv("POSTGRES", "system")
    folder = tmp_path / "project"
    folder.mkdir()
    project = LabProject(folder)
    project.up()
    try:
        ran = run_twice_if_busy(project, project.drill(drill))
        said = subprocess.run(
            [Path(project.component("ledger-db")["bin"], "postgres"), "--version"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert_passed(ran, project)
        assert "PostgreSQL" in said
        assert "Debian" in said
    finally:
        assert project.down() == []
