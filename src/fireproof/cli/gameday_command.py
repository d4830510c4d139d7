"""``fireproof gameday``: the drills of a game day, one after the other."""

from __future__ import annotations

from pathlib import Path

import click

from fireproof.cli.settings import RunSettings, default_evidence


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-e", "--environment", default="lab", show_default=True, help="where all of them run")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
@click.option("--json", "output", flag_value="json", help="records and results as JSON lines")
@click.option("--quiet", "output", flag_value="quiet", help="only the bundles' paths")
@click.option(
    "--confirm", multiple=True, metavar="COMPONENT", help="may be broken; asked for in production"
)
@click.option("--typed", default="", metavar="NAME", help="the production environment's name")
def command(
    file: Path,
    environment: str,
    evidence: Path | None,
    output: str | None,
    confirm: tuple[str, ...],
    typed: str,
) -> int:
    """Run the drills that FILE names, in its order; the exit code is the heaviest of theirs."""
    from fireproof.cli.with_lab import Stops, check_all, run_in_order, run_with_lab
    from fireproof.drillfile import load_gameday
    from fireproof.guard.guardian import say

    gameday = load_gameday(file)
    drills = file.parent.parent
    settings = [
        RunSettings(
            drills / f"{name}.yaml",
            environment,
            evidence or default_evidence(),
            output or "plain",
            confirm=confirm,
            typed=typed,
        )
        for name in gameday.drills
    ]
    if (output or "plain") == "plain":
        say(f"game day {gameday.gameday}: {gameday.title}; {len(settings)} drill(s)")
    if environment == "lab":
        code = run_with_lab(settings)
    else:
        with Stops() as stops:
            code = check_all(settings) or run_in_order(settings, stops)
    if (output or "plain") == "plain":
        say(f"game day {gameday.gameday}: exit code {code}")
    return code
