"""Whether enough people agreed to a plan: their keys, their approvals, the next move."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fireproof.cli.settings import RunSettings
from fireproof.evidence import Approval, EvidenceRoot
from fireproof.model.environment import Environment
from fireproof.model.plan import Plan

if TYPE_CHECKING:
    from fireproof.evidence.keys import TrustedKeys


def find_enough(
    plan: Plan, settings: RunSettings, runner: Callable[[], str]
) -> tuple[list[Approval], list[str]]:
    """The approvals that a run rests on, and why they are not enough; nothing when none are needed.

    Args:
        plan: what would run.
        settings: how it was called.
        runner: id of the runner's key; asked only when there is an approval to compare it with.
    """
    needed = plan.environment.approvals or 0
    if not needed:  # and no crypto is loaded
        return [], []
    from fireproof.evidence import approved_digest, find_approvals, why_void

    root = EvidenceRoot(settings.evidence)
    body = plan.model_dump(mode="json", by_alias=True)
    digest = approved_digest(body)
    there = (root.approvals / digest).is_dir()
    keys = approver_keys(root, plan.environment)
    found, wrong = find_approvals(root, body, keys, runner() if there else "")
    if len(found) >= needed:
        return found, []
    said = [
        f"environment {plan.environment.environment!r} asks for {needed} "
        f"approval{'s' * (needed > 1)} of exactly this plan, and there are {len(found)}; "
        f"somebody else than the runner says: fireproof approve {settings.drill} "
        f"-e {settings.environment}{_asked(settings)} --key KEY"
    ]
    said += [f"  not counted: {text}" for text in wrong]
    if not there and (changed := why_void(root, body)):
        said.append(f"  the earlier approval is void: {changed}")
    return [], said


def _asked(settings: RunSettings) -> str:
    """What the call says of the plan beyond its files, for the approver to say too."""
    words = ["--profile", settings.profile] if settings.profile != "full" else []
    for param in settings.params:
        words += ["--param", param]
    return f" {shlex.join(words)}" if words else ""


def approver_keys(root: EvidenceRoot, environment: Environment) -> TrustedKeys:
    """Keys that may approve there: those that the environment names, else the trust folder's."""
    from fireproof.evidence import load_trusted_keys

    if environment.approvers:
        return load_trusted_keys([Path(name) for name in environment.approvers])
    return load_trusted_keys(folder=root.approvers)
