"""Drill and environment frozen into a plan, with a digest of every procedure it will run."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fireproof import __version__
from fireproof.clock import utc_label
from fireproof.errors import EnvironmentRefusal
from fireproof.model.drill import Drill, StepParams, Use
from fireproof.model.environment import Environment
from fireproof.model.params import InForce, Profile
from fireproof.model.plan import Plan
from fireproof.model.ports import Fault, Step

MAX_PROCEDURE_FILES = 2000  # a drill that points at a whole home directory is a mistake


def freeze(
    drill: Drill,
    environment: Environment,
    *,
    run: str,
    drill_file: Path,
    project: Path,
    parameters: Mapping[str, str],
    params: Mapping[str, InForce],
    profile: Profile,
    steps: Mapping[str, Step],
    faults: Mapping[str, Fault],
) -> Plan:
    """The plan of one run.

    Raises:
        EnvironmentRefusal: when a file that the drill needs is not there.
    """
    if not _is_utf8(str(project.resolve())):
        raise EnvironmentRefusal(f"{str(project)!a}: expected a path in UTF-8; move the project")
    check_procedures(drill, project, steps, faults)
    plan = write_plan(
        drill, environment, run=run, drill_file=drill_file, project=project, parameters=parameters
    )
    return plan.model_copy(update={"params": dict(params), "profile": profile})


def write_plan(
    drill: Drill,
    environment: Environment,
    *,
    run: str,
    drill_file: Path,
    project: Path,
    parameters: Mapping[str, str],
) -> Plan:
    """The plan of a run, whether or not it can be carried out: a missed one has a plan, too."""
    return Plan(
        run=run,
        created_at=utc_label(),
        drill=drill,
        drill_file=_relative(drill_file, project),
        environment=environment,
        procedures=dict(sorted(procedures(drill, drill_file, environment, project))),
        tool=tool_record(project),
        parameters=dict(parameters),
    )


def _is_utf8(text: str) -> bool:
    """Undo records hold paths, and the journal is UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_procedures(
    drill: Drill, project: Path, steps: Mapping[str, Step], faults: Mapping[str, Fault]
) -> None:
    """What recovery and undo need is looked for before the harm, not after."""
    params: list[tuple[Use, type[StepParams]]] = []
    params += [(use, faults[use.kind].params) for use in drill.fault if use.kind in faults]
    harmless = [use for use in uses(drill) if use not in drill.fault]
    params += [(use, steps[use.kind].params) for use in harmless if use.kind in steps]
    wanted = [
        (use, name)
        for use, model in params
        for name in model.model_validate(use.params).procedures()
    ]
    missing = [
        f"{use.label()}: no such file or folder below {project}: {name!r}"
        for use, name in wanted
        if not (project / name).exists()
    ]
    if missing:
        raise EnvironmentRefusal("\n".join(dict.fromkeys(missing)))


def uses(drill: Drill) -> Iterator[Use]:
    """Every step, fault and check of a drill, in the order of the phases."""
    yield from drill.preflight
    yield from drill.baseline.steps
    yield from drill.fault
    yield from drill.recover
    yield from drill.verify
    yield from drill.refuse


def procedures(
    drill: Drill, drill_file: Path, environment: Environment, project: Path
) -> Iterator[tuple[str, str]]:
    """(path, sha256) of the drill file and of every file that its steps and loads name or keep
    beside it.
    """
    wanted = {drill_file.resolve(), *_how_hosts_are_reached(environment, project)}
    for use in uses(drill):
        for text in _texts(use.params):
            if text and len(text) < 1024 and "\n" not in text:
                wanted.update(_procedure(project / text, project.resolve()))
    for load in drill.load.values():
        wanted.update(_procedure(project / load.locustfile, project.resolve()))
    if len(wanted) > MAX_PROCEDURE_FILES:
        raise EnvironmentRefusal(
            f"the drill's procedures are {len(wanted)} files; expected at most "
            f"{MAX_PROCEDURE_FILES}: put them in a folder of their own"
        )
    for path in wanted:
        yield _relative(path, project), hashlib.sha256(path.read_bytes()).hexdigest()


def _how_hosts_are_reached(environment: Environment, project: Path) -> Iterator[Path]:
    """The inventory and the known host keys; never the private key, nor its digest."""
    inventory = environment.inventory
    for name in (inventory.file, inventory.known_hosts) if inventory else ():
        path = (project / Path(name).expanduser()).resolve()
        if not path.exists():
            where = f"environment {environment.environment!r}"
            raise EnvironmentRefusal(f"{where}: inventory: there is no {path}")
        if path.is_file():
            yield path


def _procedure(path: Path, project: Path) -> Iterable[Path]:
    """The files behind one name in a drill; a playbook calls scripts that lie beside it."""
    try:
        found = path.exists()
    except (OSError, ValueError):  # a text that is no path of ours
        return ()
    if not found or not path.resolve().is_relative_to(project):
        return ()
    path = path.resolve()
    if path == project or path.parent == project:
        return (path,) if path.is_file() else ()
    return _files(path if path.is_dir() else path.parent)


def tool_record(project: Path) -> dict[str, str]:
    """Version of this tool, and the commit of the project that holds the drill."""

    def git(*argv: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(project), *argv], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    dirty = "unknown" if changes is None else "yes" if changes else "no"
    return {"fireproof": __version__, "commit": commit or "unknown", "dirty": dirty}


def _files(folder: Path) -> Iterable[Path]:
    return (
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".git" not in path.parts
    )


def _relative(path: Path, project: Path) -> str:
    resolved = path.resolve()
    base = project.resolve()
    return str(resolved.relative_to(base)) if resolved.is_relative_to(base) else resolved.name


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
