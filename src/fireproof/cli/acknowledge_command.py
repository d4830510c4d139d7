"""``fireproof acknowledge``: say that a manual step of a run is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from fireproof.cli.settings import default_evidence
from fireproof.errors import UsageError


@click.command()
@click.argument("run")
@click.argument("step", required=False)
@click.option("--as", "role", metavar="ROLE", help="in which role you did it")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
def command(run: str, step: str | None, role: str | None, evidence: Path | None) -> int:
    """Acknowledge STEP of RUN; without STEP, show what RUN waits for.

    The journal of the run keeps the role and the time.
    """
    from fireproof.clock import utc_label

    folder = (evidence or default_evidence()).absolute() / "runs" / run
    if "/" in run or not (folder / "bag").is_dir():
        raise UsageError(f"{run!r} is not a run below {folder.parent}, or it has ended")
    waits = {
        path.name: path.read_text("utf-8")
        for path in sorted((folder / "acknowledge").glob("*"))
        if not path.suffix
    }
    listed = ", ".join(f"{name} (as {who})" for name, who in waits.items()) or "nobody"
    if step is None:
        print(f"run {run} waits for: {listed}")
        return 0
    if step not in waits:
        raise UsageError(f"run {run} does not wait at {step!r}; it waits for: {listed}")
    if role is None or role != waits[step]:
        got = f"got {role!r}" if role else "say who you are"
        raise UsageError(f"step {step} is for role {waits[step]!r}: --as {waits[step]}; {got}")
    answer = folder / "acknowledge" / f"{step}.json"
    draft = answer.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"role": role, "at": utc_label()}), "utf-8")
    draft.replace(answer)
    print(f"acknowledged {step} as {role}")
    return 0
