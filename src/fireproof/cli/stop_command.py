"""``fireproof stop``: have a run, or every run, end now: undone, sealed as aborted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fireproof.cli.settings import default_evidence

if TYPE_CHECKING:
    from fireproof.guard.folder import RunFolder
    from fireproof.guard.order import Order
    from fireproof.guard.roll import Entry


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="every run of this user on this machine; none begins until fireproof unblock",
)
@click.option("--why", default="", metavar="TEXT", help="for the record")
@click.option("--wait", "patience", default="1h", show_default=True, help="how long to wait")
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
def command(
    run: Path | None, everything: bool, why: str, patience: str, evidence: Path | None
) -> int:
    """Stop RUN (folder or id; default: the only one): its faults are undone, then it is sealed.

    Waits for the end and prints what came of it. Exit code 0: ended and sealed; 4: a fault may
    still stand; 5: undone and not sealed.
    """
    from fireproof.errors import UsageError
    from fireproof.guard.order import new_order
    from fireproof.guard.roll import roll
    from fireproof.model.quantity import parse_duration
    from fireproof.model.verdict import heaviest_exit

    try:
        patience_s = parse_duration(patience) / 1e9
    except ValueError as error:
        raise UsageError(f"--wait: {error}") from error
    if everything and run is not None:
        raise UsageError("expected a run or --all, got both")
    order = new_order(why)
    if everything:
        _block(order)
    chosen = roll()  # after the block, so that a run which is not here has seen it
    if run is not None:
        chosen = [entry for entry in chosen if entry.run == run.name]
        if not chosen:
            return _already(run, evidence or default_evidence())
    elif not everything and len(living := [entry for entry in chosen if entry.lives()]) > 1:
        listed = "\n".join(f"  fireproof stop {entry}" for entry in living)
        raise UsageError(f"several runs are under way; say which, or --all:\n{listed}")
    if not chosen:
        print("nothing is running", file=sys.stderr)
        return 0
    for entry in chosen:
        if entry.lives():
            entry.stop(order)
            print(f"{entry}: told to stop; it is being undone", file=sys.stderr)
    return heaviest_exit([_await(entry, patience_s) for entry in chosen])


def _block(order: Order) -> None:
    from fireproof.errors import EnvironmentRefusal
    from fireproof.guard.order import block, block_file

    try:
        in_force = block(order)
    except OSError as error:
        raise EnvironmentRefusal(
            f"{block_file()}: cannot be written: {error.strerror}; DRILLS ARE NOT BLOCKED"
        ) from error
    print(f"drills are blocked {in_force}; later: fireproof unblock", file=sys.stderr)


def _already(run: Path, evidence: Path) -> int:
    """What a run came to that is not under way."""
    from fireproof.errors import UsageError
    from fireproof.guard.folder import RunFolder

    root = run if run.is_dir() else evidence / "runs" / run
    folder = RunFolder(root.absolute())
    if not folder.has_begun and folder.read_result() is None:
        raise UsageError(f"{str(run)!r} is not a run that is under way; see: fireproof doctor")
    return _say(folder, str(run))


def _await(entry: Entry, patience_s: float) -> int:
    from fireproof.guard.folder import RunFolder

    if not entry.wait(patience_s):
        print(f"{entry}: STILL BEING UNDONE after {patience_s:.0f} s", file=sys.stderr)
        return 4
    return _say(RunFolder(entry.folder), str(entry))


def _say(folder: RunFolder, name: str) -> int:
    """One line on the end of a run; the exit code that it is worth."""
    result = folder.read_result()
    if result is not None:
        judgement = result["judgement"]
        print(f"{name}: {judgement['outcome'].upper()}  {judgement['reason']}")
        print(f"  bundle  {result['bundle']}")
        return int(result["exit_code"]) if result["exit_code"] in (4, 5) else 0
    if not folder.has_begun:
        print(f"{name}: ended before it began; nothing was touched")
        return 0
    if folder.is_down:
        print(f"{name}: undone, and not sealed; now: fireproof recover {folder.root}")
        return 5
    print(f"{name}: A FAULT MAY STILL STAND; now: fireproof recover {folder.root}")
    return 4
