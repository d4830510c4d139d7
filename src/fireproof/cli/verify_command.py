"""``fireproof verify``: check a bundle and recompute every number in it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from fireproof.cli.settings import default_evidence


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(path_type=Path),
    help="public key (PEM) to trust; default: every *.pub.pem in evidence/trust/",
)
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="public key of who may approve plans; default: every one in evidence/trust/approvers/",
)
@click.option("--evidence", type=click.Path(path_type=Path), help="whose trust/ to use")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a bundle")
@click.option("--alone", is_flag=True, help="a game day without the bundles of its drills")
def command(
    bundles: tuple[Path, ...],
    keys: tuple[Path, ...],
    evidence: Path | None,
    as_json: bool,
    alone: bool,
    approvers: tuple[Path, ...],
) -> int:
    """Check BUNDLES: nothing in a bundle is believed, its numbers are computed again.

    Beside a game day's bundle each of its drills' bundles is checked too.

    Exit code 0: intact and recomputed, whatever the run's outcome was. 5: do not rely on it.
    """
    from fireproof.cli.recompute import bundle_check, is_gameday
    from fireproof.evidence import (
        EvidenceRoot,
        load_trusted_keys,
        verify_members,
    )
    from fireproof.journal import read_journal

    root = EvidenceRoot(evidence or default_evidence())
    trust = None if keys else root.trust
    may_approve = None if approvers else root.approvers
    code = 0
    for bundle in bundles:
        trusted = load_trusted_keys(keys, trust, bundle=bundle)
        agreed = load_trusted_keys(approvers, may_approve, bundle=bundle)
        verify = bundle_check(trusted, agreed)
        report, members = verify(bundle), None
        if report.ok and is_gameday(bundle) and not alone:
            members = verify_members(bundle, verify, read_journal)
            report = replace(report, steps=(*report.steps, members.step))
        if as_json:
            print(json.dumps(report.to_json(), sort_keys=True))
        else:
            print(f"{bundle}")
            for step in report.steps:
                print(f"  {'ok  ' if step.ok else 'BAD '} {step.name:<12} {step.detail}")
                for problem in step.problems:
                    print(f"       {problem}", file=sys.stderr)
            if report.ok and members is not None:
                print(f"  intact; the game day's outcome is {report.outcome}, recomputed")
            elif report.ok:
                print(f"  intact; the run's outcome is {report.outcome}, recomputed")
            else:
                print("  DO NOT RELY ON THIS BUNDLE", file=sys.stderr)
        code = code if report.ok else 5
    return code
