"""``fireproof recover``: undo and seal what a dead runner left."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fireproof.cli.settings import default_evidence
from fireproof.errors import EvidenceError, FireproofError, UsageError
from fireproof.guard.guardian import STOPS, say
from fireproof.model.verdict import ExitCode, heaviest_exit

if TYPE_CHECKING:
    from fireproof.guard.folder import RunFolder
    from fireproof.model.ports import Signer


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
@click.option("--why", default="recovered by hand", hidden=True)
@click.option("--by", default="operator", hidden=True)
@click.option("--json", "output", flag_value="json", help="records and result as JSON lines")
@click.option("--quiet", "output", flag_value="quiet", help="only the bundle's path")
@click.option("--by-hand", is_flag=True, help="only print the commands that undo what stands")
def command(
    run: Path | None,
    evidence: Path | None,
    why: str,
    by: str,
    output: str | None,
    by_hand: bool,
) -> int:
    """Undo every fault of an unfinished RUN (folder or id; default: all of them) and seal it.

    A run whose undo had failed is undone again, and its components leave quarantine.
    """
    from fireproof.guard.folder import RunFolder

    for signum in STOPS:  # the way down is bounded, and not stopped halfway
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the guardian's own, and not for our children
    base = (evidence or default_evidence()).absolute()
    if run is None:
        folders = _open_runs(base)
    else:
        root = (run if run.is_dir() else base / "runs" / str(run)).absolute()
        folder = RunFolder(root)
        if root.parent.name != "runs" or not (folder.bag.is_dir() or folder.result.exists()):
            raise UsageError(f"{str(run)!r} is not a run below {base / 'runs'}")
        folders = [folder]
    if by_hand:
        for folder in folders:
            _print_by_hand(folder)
        return 0
    if not folders:
        print("nothing to recover", file=sys.stderr)
        return 0
    return heaviest_exit([_recover(folder, why, by, output or "plain") for folder in folders])


def _open_runs(base: Path) -> list[RunFolder]:
    """Unfinished runs, and finished ones that keep others off their components."""
    from fireproof.engine.recover import is_quarantined
    from fireproof.guard.folder import RunFolder
    from fireproof.guard.sweeper import unfinished

    roots = sorted((base / "runs").glob("*/result.json"))
    folders = [RunFolder(path.parent) for path in roots]
    dirty = [folder for folder in folders if not _of_gameday(folder) and is_quarantined(folder)]
    return unfinished(base) + dirty


def _of_gameday(folder: RunFolder) -> bool:
    from fireproof.cli.recompute import is_gameday

    result = folder.read_result()
    if result is not None:
        return str(result.get("format")).startswith("fireproof-gameday")
    return is_gameday(folder.sealed or folder.bag)


def _print_by_hand(folder: RunFolder) -> None:
    """A line for each fault that stands, newest first; changes nothing."""
    from fireproof.cli.compose import known_faults
    from fireproof.guard.standing import standing

    faults = known_faults()
    for data in (record.data for record in standing(folder.records())):
        try:
            line = faults[data["kind"]].by_hand(data["undo"])
        except Exception as error:  # one that cannot be told may not hide the others
            line = f"cannot be told: {type(error).__name__}: {error}"
        print(f"  {line}    # {data['label']}")


def _recover(folder: RunFolder, why: str, by: str, output: str) -> int:
    """Exit code of one; whatever goes wrong here, the fault may still stand."""
    from fireproof.cli.compose import make_services, planned_environment
    from fireproof.cli.render import make_renderer
    from fireproof.engine.recover import Alive, NotBegun, recover
    from fireproof.evidence import EvidenceRoot, open_signer

    if _of_gameday(folder):
        return _recover_gameday(folder, why, by, output)
    renderer = make_renderer(output)
    try:
        signer: Signer = open_signer(EvidenceRoot(folder.evidence))
    except EvidenceError as error:  # undo first; then say that it cannot be sealed
        signer = NoSigner(error)
    try:
        environment = planned_environment(folder)
        services = make_services(folder.evidence, renderer.on_record, signer, environment)
        result = recover(folder, services, why=why, by=by)
    except (NotBegun, Alive) as error:
        print(f"fireproof: {error}", file=sys.stderr)
        return ExitCode.STOPPED_BEFORE_FAULT
    except (FireproofError, OSError, ValueError) as error:
        say(f"fireproof: {folder.root}: {error}")
        return ExitCode.EVIDENCE if folder.is_down else ExitCode.DIRTY
    renderer.finish(result)
    return int(result["exit_code"])


def _recover_gameday(folder: RunFolder, why: str, by: str, output: str) -> int:
    """Exit code of a game day, once its drills are down."""
    from fireproof.cli.gameday.recover import recover_gameday
    from fireproof.cli.gameday.show import tell
    from fireproof.engine.recover import Alive, NotBegun
    from fireproof.evidence import EvidenceRoot, open_signer

    def one(run: RunFolder) -> int:
        return _recover(run, why, by, output)

    try:
        signer = open_signer(EvidenceRoot(folder.evidence))
        result = recover_gameday(folder, signer, one, why=why, by=by)
    except (NotBegun, Alive) as error:
        print(f"fireproof: {error}", file=sys.stderr)
        return ExitCode.STOPPED_BEFORE_FAULT
    except (FireproofError, OSError, ValueError) as error:
        say(f"fireproof: {folder.root}: {error}")
        return ExitCode.EVIDENCE
    if output == "plain":
        tell(folder.run, result, say)
    return int(result["exit_code"])


class NoSigner:
    """Stands in for a key that cannot be used, so that the undo is not held up by it."""

    key_id = ""

    def __init__(self, error: EvidenceError) -> None:
        self._error = error

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Raises why there is no signature."""
        raise self._error

    def close(self) -> None:
        """Nothing to end."""
