"""``fireproof show``: the result of a run or bundle, for people. It checks nothing."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
def command(bundle: Path) -> int:
    """What BUNDLE says about itself; ``fireproof verify`` says whether it is true."""
    from fireproof.cli.gameday.show import drill_lines
    from fireproof.cli.render import objective_lines
    from fireproof.errors import MalformedError

    try:
        run = json.loads((bundle / "run.json").read_bytes())
        plan = json.loads((bundle / "plan.json").read_bytes())
        judgement = run["judgement"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MalformedError(f"{bundle}: not a bundle: {error}") from error
    what = plan["gameday"]["gameday"] if "gameday" in plan else plan["drill"]["drill"]
    print(f"{what} on {plan['environment']['environment']}, run {run['run']}")
    print(f"started {plan['created_at']}, sealed {run['sealed_at']}")
    print(f"{judgement['outcome'].upper()}  {judgement['reason']}")
    for line in drill_lines(judgement) if "gameday" in plan else objective_lines(judgement):
        print("  " + line)
    for check in judgement.get("checks", ()):
        print(f"  check {check['name']}: {check['verdict']}, observed {check['observed']}")
    print("this is what the bundle says; check it with: fireproof verify", bundle)
    return 0
