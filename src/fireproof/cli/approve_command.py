"""``fireproof approve``: agree to exactly this plan, by a key that is not the runner's."""

from __future__ import annotations

from pathlib import Path

import click

from fireproof.cli.settings import default_evidence
from fireproof.model.params import PROFILES, Asked, Profile


@click.command()
@click.argument("drill", type=click.Path(path_type=Path))
@click.option("-e", "--environment", default="lab", show_default=True, help="where it will run")
@click.option(
    "--key", required=True, metavar="KEY", help="your private key: a PEM file, or a signer URI"
)
@click.option("--profile", type=click.Choice(PROFILES), default="full", show_default=True)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the drill")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
def command(
    drill: Path,
    environment: str,
    key: str,
    profile: Profile,
    params: tuple[str, ...],
    evidence: Path | None,
) -> int:
    """Sign the plan of DRILL as it is now; a change of drill, files or environment voids it.

    The approval is written below evidence/approvals/, where fireproof run looks for it.
    """
    from fireproof.cli.approvals import approver_keys
    from fireproof.cli.compose import make_plan
    from fireproof.cli.params import parse_params
    from fireproof.errors import UsageError
    from fireproof.evidence import (
        EvidenceRoot,
        approve,
        approved_digest,
        load_public_key,
        open_signer,
    )
    from fireproof.guard.folder import new_run_id

    root = EvidenceRoot((evidence or default_evidence()).absolute())
    plan = make_plan(drill, environment, new_run_id(), Asked(profile, parse_params(params)))
    body = plan.model_dump(mode="json", by_alias=True)
    signer = open_signer(root, f"file:{key}" if Path(key).exists() or ":" not in key else key)
    if root.public_key.exists() and load_public_key(root.public_key).keyid == signer.key_id:
        raise UsageError(f"{key}: is the runner's own key; nobody approves himself")
    path = approve(root, body, signer)
    limits = ", ".join(plan.drill.objectives)
    print(f"approved  {plan.drill.drill} on {plan.environment.environment}: {plan.drill.title}")
    print(f"breaks    {', '.join(use.label() for use in plan.drill.fault)}")
    print(f"promises  {limits}")
    print(f"plan      sha256:{approved_digest(body)}")
    print(f"by key    {signer.key_id}")
    print(path)
    if signer.key_id not in approver_keys(root, plan.environment):
        print(
            "this key is not trusted to approve here yet: its public key belongs in "
            f"{root.approvers}/ or under `approvers:` of the environment file"
        )
    return 0
