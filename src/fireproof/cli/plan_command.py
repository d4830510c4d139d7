"""``fireproof plan``: what would be done, frozen; nothing runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from fireproof.model.params import PROFILES, Asked, Profile


@click.command()
@click.argument("drill", type=click.Path(path_type=Path))
@click.option("-e", "--environment", default="lab", show_default=True, help="where it would run")
@click.option("--profile", type=click.Choice(PROFILES), default="full", show_default=True)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the drill")
@click.option("--json", "as_json", is_flag=True, help="the whole plan as JSON")
def command(
    drill: Path, environment: str, profile: Profile, params: tuple[str, ...], as_json: bool
) -> int:
    """Show the plan of DRILL: phases, faults with their undo, objectives with their limits."""
    from fireproof.cli.compose import make_plan
    from fireproof.cli.params import parse_params
    from fireproof.engine.permission import must_confirm, refusals
    from fireproof.evidence import approved_digest
    from fireproof.guard.folder import new_run_id
    from fireproof.model.quantity import format_duration

    asked = Asked(profile, parse_params(params))
    plan = make_plan(drill, environment, new_run_id(), asked)
    loaded, where = plan.drill, plan.environment
    if as_json:
        body = plan.model_dump(mode="json", by_alias=True)
        print(json.dumps(body, indent=2, sort_keys=True))
        return 0
    print(f"{loaded.drill} on {where.environment} ({where.environment_class}): {loaded.title}")
    print(f"hypothesis: {' '.join(loaded.hypothesis.split())}")
    for name, value in plan.params.items():
        print(f"  param      {name}: {value.value}  ({value.from_})")
    phases = [("preflight", loaded.preflight), ("baseline", loaded.baseline.steps)]
    phases += [("fault", loaded.fault), ("recover", loaded.recover)]
    phases += [("verify", loaded.verify), ("refuse", loaded.refuse)]
    for phase, uses in phases:
        for use in uses:
            print(f"  {phase:<10} {use.label()}  (at most {use.params.get('timeout')})")
    for name, objective in loaded.objectives.items():
        body = objective.model_dump(
            mode="json", by_alias=True, exclude={"controls", "covers", "profiles"}
        )
        limits = ", ".join(f"{key} {value}" for key, value in body.items() if value is not None)
        only = f"  NOT ASKED in {asked.profile}" if not objective.asked_in(asked.profile) else ""
        print(f"  objective  {name}: {limits}{only}")
    for line in refusals(plan, confirmed=loaded.components, now=datetime.now(UTC)):
        print(f"  refused now: {line}")
    if must_confirm(plan):
        print(f"  to run it  {' '.join(f'--confirm {name}' for name in loaded.components)}")
    if where.approvals:
        digest = approved_digest(plan.model_dump(mode="json", by_alias=True))
        print(f"  approvals  {where.approvals} needed, of the plan sha256:{digest}")
    print(f"  procedures {len(plan.procedures)} files, each with its digest")
    print(f"  baseline   {format_duration(loaded.baseline.for_)}")
    return 0
