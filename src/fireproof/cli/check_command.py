"""``fireproof check``: every mistake in drill files, before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from fireproof.errors import DrillFileError, Problem, UsageError
from fireproof.model.params import PROFILES, Asked


def drill_files(paths: tuple[Path, ...]) -> list[Path]:
    """The files named, and the drills directly in the folders named."""
    found: list[Path] = []
    for path in paths or (Path("drills"),):
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return found


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-e", "--environment", help="look as well whether the drills fit there")
@click.option("--github", is_flag=True, help="problems as annotations of a GitHub workflow")
@click.option(
    "--carets/--no-carets", default=None, help="the line, with a mark; default: at a terminal"
)
def command(
    paths: tuple[Path, ...], environment: str | None, github: bool, carets: bool | None
) -> int:
    """Look for mistakes in drill files or folders of them (default: drills/ and environments/)."""
    from fireproof.cli.compose import load_any_environment, unfit_files, vocabulary
    from fireproof.cli.terminal import show_carets
    from fireproof.drillfile import (
        check_environment,
        load_environment,
        read_drill,
        read_gameday,
        render,
        render_github,
    )

    files = drill_files(paths)
    folders = paths or (Path("drills"),)
    gamedays = sorted(path for folder in folders for path in folder.glob("gamedays/*.yaml"))
    places = [] if paths else sorted(Path("environments").glob("*.yaml"))
    if not files:
        raise UsageError(
            f"no drill files in {', '.join(map(str, paths)) or 'drills/'}; "
            "fireproof init writes the first"
        )
    words = vocabulary()
    problems: list[Problem] = []

    def collect(read: Callable[[Path], Any], path: Path) -> Any:
        try:
            return read(path)
        except DrillFileError as error:
            problems.extend(error.problems)

    drills = [collect(lambda path: read_drill(path, words), file) for file in files]
    for file, drill in zip(files, drills, strict=True):
        if drill is not None and drill.params:  # what only the other profile has may be wrong too
            collect(lambda path: read_drill(path, words, Asked("smoke")), file)
    problems += unfit_files([drill for drill in drills if drill is not None])
    for file in gamedays:
        for profile in PROFILES:
            collect(partial(read_gameday, vocabulary=words, profile=profile), file)
    for file in places:
        collect(load_environment, file)
    if environment is not None:
        where = collect(lambda path: load_any_environment(str(path)), Path(environment))
        for drill in filter(None, drills if where else ()):
            problems += check_environment(drill.drill, where, drill.marks)
    if problems:
        problems = list(dict.fromkeys(problems))
        if github:
            print(render_github(problems))
        print(render(problems, carets=show_carets(carets)), file=sys.stderr)
        return 2
    extra = f" and {len(places)} environments" if places else ""
    print(f"{len(files)} drills and {len(gamedays)} game days{extra}: no problems")
    return 0
