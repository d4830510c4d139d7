"""The shipped drill with Debian's pgBackRest in it: passes, and names what was damaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.backup_tools import (
    assert_named,
    assert_passed,
    damage,
    red,
    run_twice_if_busy,
    with_tool,
)
from support.debian import need
from support.lab_project import LabProject

pytestmark = [pytest.mark.component, pytest.mark.full, pytest.mark.debian]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProject]:
    """With Debian's Postgres: pgBackRest 2.45 knows no newer one than 15."""
    need("/usr/bin/pgbackrest", "pgbackrest")
    need("/usr/lib/postgresql/15/bin/postgres", "postgresql")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTGRES", "system")
        found = LabProject(tmp_path_factory.mktemp("project"))
        found.up()
        yield found
        assert found.down() == []


def drill_with_it(project: LabProject) -> dict[str, Any]:
    project.up()  # archives again after a drill that passed
    return with_tool(project, "pgbackrest", ["pgbackrest-verify"])


def repository(project: LabProject) -> Path:
    return Path(project.component("ledger-db")["restore-into"], "pgbackrest", "repository")


def test_the_drill_passes_with_it(project: LabProject) -> None:
    """What teams run is measured, not a stand-in."""
    ran = run_twice_if_busy(project, drill_with_it(project))

    assert_passed(ran, project)
    assert red(ran) == []


def test_it_passes_again_on_the_restored_copy(project: LabProject) -> None:
    """A timeline later, with the repository of the first time."""
    ran = run_twice_if_busy(project, drill_with_it(project))

    assert_passed(ran, project)


def fresh_drill(project: LabProject) -> dict[str, Any]:
    """With an empty repository: its verify would find an earlier test's damage, rightly."""
    drill = drill_with_it(project)
    shutil.rmtree(repository(project).parent, ignore_errors=True)
    return drill


def test_a_changed_file_of_the_backup_is_named(project: LabProject) -> None:
    """By the digest of the day it was made."""
    drill = fresh_drill(project)
    backup = f"{repository(project)}/backup/ledger/latest/"
    largest = f"$(find {backup} -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2-)"
    flip = f'f="{largest}"; printf X | dd of="$f" bs=1 seek=5000 conv=notrunc'
    drill["baseline"]["steps"].append(damage(flip))
    del drill["abort"]  # the damage is the matter, not how busy the machine was before it

    ran = project.run(drill)

    assert_named(ran, project, "backup-intact")


def test_a_segment_that_the_repository_lost_is_named(project: LabProject) -> None:
    """Our own archive still has it: the restore may not help itself there."""
    drill = fresh_drill(project)
    wal = f"{repository(project)}/archive/ledger"
    newest = f"$(find {wal} -type f -name '0000*' ! -name '*.backup' | sort | tail -2 | head -1)"
    drill["baseline"]["steps"].append(damage(f'rm "{newest}"'))
    del drill["abort"]

    ran = project.run(drill)

    assert_named(ran, project, "target-reached")
