"""What a game day will do, frozen; and why it may not begin."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from fireproof.clock import utc_label
from fireproof.drillfile import LoadedGameDay, check_environment
from fireproof.engine.permission import unattended
from fireproof.engine.planning import tool_record
from fireproof.errors import EnvironmentRefusal
from fireproof.guard.folder import new_run_id
from fireproof.guard.lease import Lease
from fireproof.model.environment import Environment
from fireproof.model.gameday import GameDayPlan, Member, Other, Place
from fireproof.steps.manual import somebody_is_here


def refuse_outside_window(day: LoadedGameDay, now: datetime) -> None:
    """Raise EnvironmentRefusal when the game day may not begin now."""
    window = day.gameday.window
    if window is not None and not window.holds(now):
        raise EnvironmentRefusal(
            f"game day {day.gameday.gameday!r} may begin on {window}; "
            f"it is {now:%a %H:%M} UTC now".lower()
        )


def refuse_misfits(day: LoadedGameDay, environment: Environment) -> None:
    """Raise EnvironmentRefusal with all that keeps any of the drills from running there now."""
    problems = [
        str(problem)
        for member in day.members
        for problem in check_environment(member.loaded.drill, environment, member.loaded.marks)
    ]
    groups = [member.group for member in day.members]
    for member in day.members:  # side by side nobody knows whose question it is
        here = groups.count(member.group) == 1 and somebody_is_here()
        problems += unattended(member.loaded.drill, somebody_is_here=here)
    if problems:
        raise EnvironmentRefusal("\n".join(dict.fromkeys(problems)))
    components = {name for member in day.members for name in member.loaded.drill.components}
    lease = Lease()
    try:  # each drill takes its own again; this is to know before the first one breaks anything
        lease.take(environment.identity, components, f"game day {day.gameday.gameday}")
    finally:
        lease.release()


def freeze_gameday(day: LoadedGameDay, file: Path, environment: Environment) -> GameDayPlan:
    """The plan of one game day; it names the runs that its drills will have."""
    project = Path.cwd()
    others = {name: file.parent / f"{name}.yaml" for name in day.others}
    files = sorted({file, *others.values(), *(member.file for member in day.members)})
    return GameDayPlan(
        run=new_run_id(),
        created_at=utc_label(),
        gameday=day.gameday,
        gameday_file=_relative(file, project),
        environment=Place.model_validate(
            {
                "environment": environment.environment,
                "class": environment.environment_class,
                "identity": environment.identity,
            }
        ),
        members=tuple(
            Member(
                name=member.name,
                drill=member.loaded.drill.drill,
                run=new_run_id(),
                group=member.group,
                profile=member.asked.profile,
                params=dict(member.asked.values),
                components=member.loaded.drill.components,
            )
            for member in day.members
        ),
        others={
            name: Other(profile=other.profile, schedule=other.schedule)
            for name, other in day.others.items()
        },
        procedures={
            _relative(path, project): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        },
        tool=tool_record(project),
    )


def _relative(path: Path, project: Path) -> str:
    resolved, base = path.resolve(), project.resolve()
    return str(resolved.relative_to(base)) if resolved.is_relative_to(base) else resolved.name
