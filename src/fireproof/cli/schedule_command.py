"""``fireproof schedule``: when drills are due, and what becomes of those that were missed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from fireproof.cli.settings import default_evidence
from fireproof.errors import UsageError

if TYPE_CHECKING:
    from fireproof.fleet import Entry
    from fireproof.model.environment import Environment

FORMS = ("systemd", "cron", "k8s", "github")
_environment = click.option(
    "-e", "--environment", default="lab", show_default=True, help="where they run"
)
_files = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


@click.group()
def command() -> None:
    """Run what is due, or hand the timetable to who keeps your time."""


@command.command()
@_files
@_environment
@click.option("--systemd", "form", flag_value="systemd", help="services and timers")
@click.option("--cron", "form", flag_value="cron", help="a crontab")
@click.option("--k8s", "form", flag_value="k8s", help="CronJobs")
@click.option("--github", "form", flag_value="github", help="a workflow")
@click.option("--out", type=click.Path(path_type=Path), help="write files there; default: print")
@click.option("--image", help="the image that CronJobs run")
def render(
    files: tuple[Path, ...], environment: str, form: str | None, out: Path | None, image: str | None
) -> int:
    """The schedules of FILES (default: every drill and game day that has one) for others to keep.

    Each trigger only says ``fireproof schedule run --once``: what is due is decided here.
    """
    from fireproof.cli.compose import load_any_environment
    from fireproof.cli.plugins import installed
    from fireproof.fleet.render import (
        render_cron,
        render_github,
        render_kubernetes,
        render_systemd,
    )

    if form is None:
        raise UsageError(f"say for whom: one of {', '.join('--' + form for form in FORMS)}")
    place = (
        None if environment in installed("fireproof.labs") else load_any_environment(environment)
    )
    entries = scheduled(files, environment, place)
    project, evidence = Path.cwd(), default_evidence().absolute()
    match form:
        case "systemd":
            texts = dict(render_systemd(entries, project, _tool(), evidence))
        case "cron":
            texts = {"fireproof.crontab": render_cron(entries, project, _tool(), evidence)}
        case "k8s":
            if image is None:
                raise UsageError("--k8s: say which image holds fireproof and this project: --image")
            texts = {"fireproof-cronjobs.yaml": render_kubernetes(entries, image)}
        case _:
            texts = {"fireproof.yml": render_github(entries)}
    for name, text in texts.items():
        if out is None:
            print(f"# {name}\n{text}" if len(texts) > 1 else text, end="\n" if texts else "")
            continue
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(
                f"--out {out}: expected a folder that can be written, got: {error.strerror}"
            ) from error
        print(out / name)
    return 0


def _tool() -> Path:
    """The program that a timekeeper starts; ``python -m fireproof`` has one beside its python."""
    called = Path(sys.argv[0]).absolute()
    tool = Path(sys.executable).with_name("fireproof") if called.suffix == ".py" else called
    if not os.access(tool, os.X_OK):
        raise UsageError(
            f"{tool}: expected the program fireproof; call this command by the path of yours"
        )
    return tool


@command.command()
@_files
@_environment
@click.option("--once", is_flag=True, help="deal with what is due now, then end")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
def run(files: tuple[Path, ...], environment: str, once: bool, evidence: Path | None) -> int:
    """Run what is due, in the foreground; occurrences that nobody ran are sealed as missed-run.

    A first call notes the time: nothing was promised before it. With --once it runs what it was
    woken for: the newest occurrence, if its grace is not over.
    """
    from fireproof.cli.schedule import Runs
    from fireproof.cli.with_lab import Stops
    from fireproof.fleet import Agenda, WallClock, serve

    entries = scheduled(files, environment)
    base = (evidence or default_evidence()).absolute()
    with Stops() as stops, Runs(base, stops) as runs:
        agendas = [(entry, Agenda(base / "schedule", entry.key)) for entry in entries]
        for _, agenda in agendas:
            runs.hold(agenda)
        code = serve(agendas, WallClock(runs.pause), runs, once=once)
    return 128 + stops.signum if stops.signum is not None else code


def scheduled(
    files: Sequence[Path], environment: str, place: Environment | None = None
) -> list[Entry]:
    """Every drill and game day of FILES that has a schedule.

    Raises:
        DrillFileError: with every problem of every file.
        UsageError: a file without a schedule, or none at all.
    """
    from fireproof.cli.compose import vocabulary
    from fireproof.drillfile import load_drill, read_gameday
    from fireproof.errors import DrillFileError, Problem
    from fireproof.fleet import Entry, needed_extras

    every = [
        *sorted(Path("drills").glob("*.yaml")),
        *sorted(Path("drills").glob("gamedays/*.yaml")),
    ]
    problems: list[Problem] = []
    found: list[Entry] = []
    words = vocabulary()
    for file in dict.fromkeys(files or every):
        try:
            if file.parent.name == "gamedays":
                loaded = read_gameday(file, words)
                day = loaded.gameday
                name, title, schedule = day.gameday, day.title, day.schedule
                members = {member.file: member.loaded.drill for member in loaded.members}
            else:
                drill = load_drill(file, words)
                name, title, schedule = drill.drill, drill.title, drill.schedule
                members = {file: drill}
        except DrillFileError as error:
            problems += error.problems
            continue
        if schedule is None and files:
            text = "this file has none; add one, such as {cron: '0 3 * * 1'}"
            problems.append(Problem(str(file), 1, 1, "schedule", text))
        if schedule is not None:
            kind: Literal["drill", "gameday"]
            kind = "gameday" if file.parent.name == "gamedays" else "drill"
            extras = needed_extras(members.values(), place, lab=environment == "lab")
            drills = tuple(members)
            found.append(Entry(kind, name, title, file, schedule, drills, environment, extras))
    if problems:
        raise DrillFileError(problems)
    if not found:
        raise UsageError(
            "no file below drills/ has a `schedule:`; add one, such as cron: '0 3 * * 1'"
        )
    return found
