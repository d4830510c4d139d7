"""The shipped drill with another backup tool in it, and what must come of it."""

from __future__ import annotations

from typing import Any

from support.lab_project import LabProject
from support.scenario import Ran


def with_tool(project: LabProject, tool: str, checks: list[str]) -> dict[str, Any]:
    """The drill as docs/how-to/backup-tools.md says."""
    drill = project.drill()
    drill["baseline"]["steps"][0]["vars"] = {"tool": tool}
    drill["recover"][0]["vars"] = {"tool": tool}
    for control in drill["refuse"]:
        control["vars"]["tool"] = tool
    wanted = drill["objectives"]["restored-content"]["checks"]
    place = wanted.index("pg_verifybackup")
    wanted[place : place + 1] = checks
    return drill


def red(ran: Ran) -> list[str]:
    assert ran.result is not None, ran.stderr
    checks = ran.result["judgement"]["checks"]
    return [one["name"] for one in checks if one["verdict"] == "missed"]


def assert_passed(ran: Ran, project: LabProject) -> None:
    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert project.verify(ran.bundle) == 0


def assert_named(ran: Ran, project: LabProject, check: str) -> None:
    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert red(ran) == [check], ran.stderr
    assert project.verify(ran.bundle) == 0


def damage(command: str) -> dict[str, Any]:
    """A step between the backup and the fault."""
    return {"title": "damage", "process": ["sh", "-ec", command], "timeout": "30s"}


def run_twice_if_busy(project: LabProject, drill: dict[str, Any]) -> Ran:
    """Once more when it stopped before the fault: a slow machine dropped a canary's write."""
    ran = project.run(drill)
    return project.run(drill) if ran.outcome == "aborted" and ran.code == 3 else ran
