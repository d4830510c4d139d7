"""``fireproof recover``: undo and seal what a dead runner left."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fireproof.cli.settings import default_evidence


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
@click.option("--why", default="recovered by hand", hidden=True)
@click.option("--by", default="operator", hidden=True)
@click.option("--json", "output", flag_value="json", help="records and result as JSON lines")
def command(run: Path | None, evidence: Path | None, why: str, by: str, output: str | None) -> int:
    """Undo every fault of an unfinished RUN (folder or id; default: all of them) and seal it."""
    from fireproof.cli.compose import make_services, planned_environment
    from fireproof.cli.render import make_renderer
    from fireproof.engine.recover import recover
    from fireproof.errors import UsageError
    from fireproof.evidence import EvidenceRoot, open_signer
    from fireproof.guard.folder import RunFolder
    from fireproof.guard.sweeper import unfinished
    from fireproof.model.verdict import heaviest_exit

    base = (evidence or default_evidence()).absolute()
    if run is None:
        folders = unfinished(base)
    else:
        root = run if run.is_dir() else base / "runs" / str(run)
        if not root.is_dir():
            raise UsageError(f"no run {str(run)!r} below {base / 'runs'}")
        folders = [RunFolder(root.absolute())]
    if not folders:
        print("nothing to recover", file=sys.stderr)
        return 0
    codes = []
    for folder in folders:
        renderer = make_renderer(output or "plain")
        signer = open_signer(EvidenceRoot(folder.evidence))
        environment = planned_environment(folder)
        services = make_services(folder.evidence, renderer.on_record, signer, environment)
        result = recover(folder, services, why=why, by=by)
        renderer.finish(result)
        codes.append(int(result["exit_code"]))
    return heaviest_exit(codes)
