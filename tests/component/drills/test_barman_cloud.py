"""The shipped drill with Barman Cloud in it, on the lab's S3: passes, and names the damage."""

from __future__ import annotations

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
from support.lab_project import LabProject

pytestmark = [pytest.mark.component, pytest.mark.full]


def drill_with_it(project: LabProject) -> dict[str, Any]:
    project.up()  # archives again after a drill that passed
    return with_tool(project, "barman-cloud", [])


def objects(project: LabProject, what: str) -> str:
    """Where the lab's S3 keeps its objects."""
    archive = project.component("archive")
    folder = project.lab.root / "archive" / "data" / archive["bucket"] / archive["prefix"]
    return f"{folder}/barman/ledger/{what}"


def test_the_drill_passes_with_it(project: LabProject) -> None:
    """What teams run is measured, not a stand-in."""
    ran = run_twice_if_busy(project, drill_with_it(project))

    assert_passed(ran, project)
    assert red(ran) == []


def test_a_changed_object_of_the_backup_is_named(project: LabProject) -> None:
    """By the digest of the day: Barman Cloud itself keeps none."""
    drill = drill_with_it(project)
    flip = f"cd {objects(project, 'base')}; cd $(ls | tail -1)"
    flip += "; printf X | dd of=data.tar bs=1 seek=30000000 conv=notrunc"
    drill["baseline"]["steps"].append(damage(flip))
    del drill["abort"]  # the damage is the matter, not how busy the machine was before it

    ran = project.run(drill)

    assert_named(ran, project, "backup-intact")


def test_a_segment_that_the_bucket_lost_is_named(project: LabProject) -> None:
    """Our own archive still has it: the restore may not help itself there."""
    drill = drill_with_it(project)
    wals = objects(project, "wals")
    newest = f"$(find {wals} -type f ! -name '*.backup' | sort | tail -2 | head -1)"
    drill["baseline"]["steps"].append(damage(f'rm "{newest}"'))
    del drill["abort"]

    ran = project.run(drill)

    assert_named(ran, project, "target-reached")
