"""``fireproof gameday``: the drills of a game day, in order and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fireproof.cli.settings import MOST_WORKERS, RunSettings, default_evidence
from fireproof.errors import DrillFileError, EnvironmentRefusal, UsageError
from fireproof.model.params import PROFILES, Profile

if TYPE_CHECKING:
    from fireproof.cli.with_lab import Stops
    from fireproof.drillfile import LoadedGameDay
    from fireproof.model.gameday import Member


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-e", "--environment", default="lab", show_default=True, help="where all of them run")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
@click.option("--profile", type=click.Choice(PROFILES), help="instead of the one the file names")
@click.option(
    "--param", "params", multiple=True, metavar="DRILL.NAME=VALUE", help="a param of one drill"
)
@click.option("--json", "output", flag_value="json", help="records and results as JSON lines")
@click.option("--quiet", "output", flag_value="quiet", help="only the bundles' paths")
@click.option(
    "--confirm", multiple=True, metavar="COMPONENT", help="may be broken; asked for in production"
)
@click.option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    help="processes of each load, with a Locust master; default: as the drills say",
)
@click.option("--typed", default="", metavar="NAME", help="the production environment's name")
def command(
    file: Path,
    environment: str,
    evidence: Path | None,
    profile: Profile | None,
    params: tuple[str, ...],
    output: str | None,
    confirm: tuple[str, ...],
    workers: int | None,
    typed: str,
) -> int:
    """Run the drills that FILE names and seal one bundle that refers to theirs.

    The exit code is the heaviest of the drills'; the bundle's path is printed last.
    """
    from fireproof.cli.compose import load_lab, unfit_files, vocabulary
    from fireproof.cli.gameday.conduct import settings_of
    from fireproof.cli.gameday.day import Day
    from fireproof.cli.gameday.planning import refuse_outside_window
    from fireproof.cli.params import parse_params
    from fireproof.cli.with_lab import Stops, check_all, renew_lab, run_with_lab
    from fireproof.drillfile import read_gameday

    loaded: LoadedGameDay = read_gameday(file, vocabulary(), profile, parse_params(params))
    drilled = {name for member in loaded.members for name in member.loaded.drill.components}
    if strangers := sorted(set(confirm) - drilled):
        raise UsageError(f"--confirm {strangers[0]}: no drill of this game day drills it")
    if workers is not None and not any(member.loaded.drill.load for member in loaded.members):
        raise UsageError(f"--workers {workers}: no drill of this game day has a load")
    if wrong := unfit_files([member.loaded for member in loaded.members]):
        raise DrillFileError(wrong)
    refuse_outside_window(loaded, datetime.now(UTC))
    base = RunSettings(
        file,
        environment,
        (evidence or default_evidence()).absolute(),
        output or "plain",
        confirm=confirm,
        typed=typed,
        workers=workers,
    )
    settings = [
        RunSettings(
            member.file,
            environment,
            base.evidence,
            base.output,
            profile=member.asked.profile,
            params=tuple(f"{name}={value}" for name, value in member.asked.values.items()),
        )
        for member in loaded.members
    ]
    fresh = environment == "lab" and loaded.gameday.lab == "each"
    if fresh and load_lab("lab").status() is not None:
        raise EnvironmentRefusal(
            "this game day wants a fresh lab for each drill, and one is up: fireproof lab down"
        )
    made = settings_of(loaded.members, base)

    def prepare(group: Sequence[Member]) -> str:
        if not fresh or group[0].group == 0:  # the first lab has everything, and is new
            return ""
        return renew_lab([made(member) for member in group], lambda text: day.say(f"lab: {text}"))

    day = Day(file, loaded, base, made, prepare)
    day.say(
        f"game day {loaded.gameday.gameday}: {loaded.gameday.title}; {len(loaded.members)} drill(s)"
    )

    def conduct(_: object, stops: Stops) -> int:
        return day.run(stops)

    if environment == "lab":
        code = run_with_lab(settings, conduct)
    else:
        with Stops() as stops:
            code = check_all(settings) or day.run(stops)
    day.say(f"game day {loaded.gameday.gameday}: exit code {code}")
    day.show_path()
    return code
