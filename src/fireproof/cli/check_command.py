"""``fireproof check``: every mistake in drill files, before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fireproof.errors import DrillFileError, Problem, UsageError


def drill_files(paths: tuple[Path, ...]) -> list[Path]:
    """The files named, and the drills directly in the folders named."""
    found: list[Path] = []
    for path in paths or (Path("drills"),):
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return found


def missing_drills(gameday: Path, names: tuple[str, ...]) -> list[Problem]:
    """Drills that a game day names and that are not beside it."""
    drills = gameday.parent.parent
    return [
        Problem(str(gameday), 1, 1, f"drills.{index}", f"there is no {drills / name}.yaml")
        for index, name in enumerate(names)
        if not (drills / f"{name}.yaml").is_file()
    ]


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> int:
    """Look for mistakes in drill files or folders of them (default: drills/)."""
    from fireproof.cli.compose import vocabulary
    from fireproof.drillfile import load_drill, load_gameday, render

    files = drill_files(paths)
    gamedays = [p for folder in paths or (Path("drills"),) for p in folder.glob("gamedays/*.yaml")]
    if not files:
        raise UsageError(f"no drill files in {', '.join(map(str, paths)) or 'drills/'}")
    words = vocabulary()
    problems: list[Problem] = []
    for file in files + gamedays:
        try:
            if file in gamedays:
                problems += missing_drills(file, load_gameday(file).drills)
            else:
                load_drill(file, words)
        except DrillFileError as error:
            problems += error.problems
    if problems:
        print(render(problems), file=sys.stderr)
        return 2
    print(f"{len(files)} drills and {len(gamedays)} game days: no problems")
    return 0
