"""``fireproof run`` for click: help and usage errors; the work is done in ``run.py``."""

from __future__ import annotations

from pathlib import Path

import click

from fireproof.cli.run import run
from fireproof.cli.settings import MOST_WORKERS, RunSettings, default_evidence
from fireproof.model.params import PROFILES


@click.command()
@click.argument("drill", type=click.Path(path_type=Path))
@click.option(
    "-e",
    "--environment",
    default="lab",
    show_default=True,
    help="name below environments/, a file, or 'lab' for the built-in systems",
)
@click.option(
    "--evidence", type=click.Path(path_type=Path), help="folder for runs, bundles and keys"
)
@click.option("--json", "output", flag_value="json", help="records and result as JSON lines")
@click.option("--quiet", "output", flag_value="quiet", help="only the bundle's path")
@click.option("--with-lab", is_flag=True, help="start the built-in systems first, stop them after")
@click.option(
    "--confirm", multiple=True, metavar="COMPONENT", help="may be broken; asked for in production"
)
@click.option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    help="processes of each load, with a Locust master; default: as the drill says",
)
@click.option("--typed", default="", metavar="NAME", help="the production environment's name")
@click.option("--profile", type=click.Choice(PROFILES), default="full", show_default=True)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the drill")
def command(
    drill: Path,
    environment: str,
    evidence: Path | None,
    output: str | None,
    with_lab: bool,
    confirm: tuple[str, ...],
    typed: str,
    profile: str,
    params: tuple[str, ...],
    workers: int | None,
) -> int:
    """Run one drill and seal what was seen.

    \b
    exit codes: 0 every objective met   1 missed    2 bad call or drill file
                3 stopped before harm   4 undo failed   5 not sealed
                6 inconclusive          7 aborted, undone   128+n signal n, undone
    """  # noqa: D301
    return run(
        RunSettings(
            drill,
            environment,
            evidence or default_evidence(),
            output or "plain",
            with_lab,
            confirm,
            typed,
            profile,
            params,
            workers=workers,
        )
    )
