"""Giving an undo up: loudly, with the components in quarantine and the commands to run by hand."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from fireproof.guard.folder import RunFolder
from fireproof.guard.lease import Lease
from fireproof.guard.order import new_order, write_order
from fireproof.guard.question import harm
from fireproof.guard.say import say

_BY_HAND_S = 20.0  # loading every fault there is takes half a second
_INTERRUPTED = 130


def abandon(folder: RunFolder) -> int:
    """Leave a run as it is; everything that it started is dead by now. The exit code."""
    result = folder.read_result()
    if result is not None:
        return int(result["exit_code"])
    if not folder.has_begun:
        folder.discard()
        return _INTERRUPTED
    touched = any(record.kind == "intent" for record in folder.records())
    if folder.is_down or not touched:
        say(
            f"fireproof: ENDED AT THE THIRD CTRL-C; nothing is left broken, and the run is not "
            f"sealed; now: fireproof recover {folder.root}"
        )
        return 5
    quarantined = _quarantine(folder)
    say("\nfireproof: ABANDONED AT THE THIRD CTRL-C. THIS MAY STILL BE BROKEN:")
    for line in harm(folder) or ["the faults were taken back, and nobody has looked since"]:
        say(f"  {line}")
    say("fireproof: by hand, newest first:")
    _print_commands(folder)
    say(f"fireproof: or all of it, sealed as well: fireproof recover {folder.root}")
    if quarantined:
        say("fireproof: its components are in quarantine until then")
    return 4


def _quarantine(folder: RunFolder) -> bool:
    """Keep drills off the components, and the sweeper off the run; False when that failed.

    Then the run is an unfinished one like any other, and the next start takes it up.
    """
    try:
        plan = json.loads((folder.bag / "plan.json").read_bytes())
        identity = str(plan["environment"]["identity"])
        components = [str(name) for name in plan["drill"]["components"]]
        lease, root = Lease(), str(folder.root)
        lease.quarantine(identity, components, root)
        if any(lease.quarantined_by(identity, name) != root for name in components):
            return False
        write_order(folder.abandoned, new_order("the third Ctrl-C"))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _print_commands(folder: RunFolder) -> None:
    """What each undo would have you type; known to the faults, so a fresh process is asked."""
    argv = [sys.executable, "-m", "fireproof", "recover", str(folder.root), "--by-hand"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=2, timeout=_BY_HAND_S)
