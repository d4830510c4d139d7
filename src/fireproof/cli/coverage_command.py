"""``fireproof coverage``: which checklist rows verified bundles show."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fireproof.cli.settings import default_evidence
from fireproof.errors import VerificationError

if TYPE_CHECKING:
    from fireproof.catalog import Shown, ShownDay
    from fireproof.evidence import VerificationReport


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path), help="public key to trust"
)
@click.option("--evidence", type=click.Path(path_type=Path), help="whose trust/ to use")
@click.option("--write", "target", type=click.Path(path_type=Path), help="file; default: stdout")
def command(
    bundles: tuple[Path, ...], keys: tuple[Path, ...], evidence: Path | None, target: Path | None
) -> int:
    """Write the checklist with what the drills of BUNDLES show: game days', or single drills'.

    Every bundle is verified first, those of a game day's drills too; exit code 5 and nothing
    written when one does not hold.
    """
    from fireproof.catalog import covered, load_checklist
    from fireproof.cli.recompute import bundle_check, is_gameday
    from fireproof.evidence import EvidenceRoot, load_trusted_keys, verify_members
    from fireproof.journal import read_journal
    from fireproof.report.checklist import write_checklist

    root = EvidenceRoot(evidence or default_evidence())
    trust = None if keys else root.trust
    runs: list[Shown | ShownDay] = []
    source: list[str] = []
    for bundle in bundles:
        trusted = load_trusted_keys(keys, trust, bundle=bundle)
        agreed = load_trusted_keys((), root.approvers, bundle=bundle)
        verify = bundle_check(trusted, agreed)
        report = verify(bundle)
        _hold(report, report.problems)
        if is_gameday(bundle):
            members = verify_members(bundle, verify, read_journal)
            _hold(report, members.step.problems)
            runs += [_shown_day(report), *(_shown(member) for member in members.bundles)]
        else:
            runs.append(_shown(report))
        source.append(_described(report))
    text = write_checklist(load_checklist(), covered(runs), source)
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text, "utf-8")
    return 0


def _hold(report: VerificationReport, problems: tuple[str, ...]) -> None:
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise VerificationError(f"{report.folder} does not hold; nothing was written\n{listed}")


def _shown(report: VerificationReport) -> Shown:
    from fireproof.catalog import Shown
    from fireproof.model.plan import Plan

    plan = Plan.model_validate_json((report.folder / "plan.json").read_bytes())
    judgement = json.loads((report.folder / "run.json").read_bytes())["judgement"]
    return Shown(plan, judgement, report.identity or "")


def _shown_day(report: VerificationReport) -> ShownDay:
    from fireproof.catalog import ShownDay
    from fireproof.model.gameday import GameDayPlan

    plan = GameDayPlan.model_validate_json((report.folder / "plan.json").read_bytes())
    judgement = json.loads((report.folder / "run.json").read_bytes())["judgement"]
    return ShownDay(plan, judgement, report.identity or "")


def _described(report: VerificationReport) -> str:
    plan = json.loads((report.folder / "plan.json").read_bytes())
    what = plan.get("gameday", {}).get("gameday") or plan["drill"]["drill"]
    kind = "Game day" if "gameday" in plan else "Drill"
    place = plan["environment"]["environment"]
    return (
        f"{kind} `{what}` on `{place}`, {plan['created_at'][:10]}, {report.outcome}: "
        f"run `{report.run}`, identity `sha256:{report.identity}`."
    )
