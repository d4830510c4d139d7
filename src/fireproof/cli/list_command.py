"""``fireproof list``: which drills there are."""

from __future__ import annotations

from pathlib import Path

import click

from fireproof.model.quantity import format_duration


@click.command("list")
@click.argument("folder", default="drills", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """The drills in FOLDER (default: drills/), one line each."""
    from fireproof.cli.check_command import drill_files
    from fireproof.cli.compose import vocabulary
    from fireproof.drillfile import load_drill
    from fireproof.errors import UsageError

    words = vocabulary()
    files = drill_files((folder,))
    if not files:
        raise UsageError(f"no drill files in {folder}")
    for file in files:
        drill = load_drill(file, words)
        cadence = format_duration(drill.cadence)
        print(f"{drill.drill:<24}  {drill.kind:<11}  every {cadence:<5}  {drill.title}")
    return 0
