"""``pause``: the server's whole tree stands still and answers nobody; the cheapest honest hang.

It carries its expiry: a keeper outside the runner's tree continues the server, whoever has died.
"""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any

from fireproof import expiry
from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, begin_undo, recorded
from fireproof.faults.server import (
    freeze,
    is_stopped,
    running,
    send,
    tree_of,
    wait_until,
    why_not_to_harm,
)
from fireproof.processes import ProcessId, is_alive

if TYPE_CHECKING:
    from fireproof.faults.params import PauseParams
    from fireproof.model.ports import StepContext


def _targets(undo: Undo) -> list[ProcessId]:
    """Everything the pause may have stopped: what was recorded, and what is below it now.

    A stopped server forks nothing, so a child born after ``prepare`` is still below it.
    """
    found: list[ProcessId] = []
    if not isinstance(undo.get("pids"), list) or not undo["pids"]:
        raise UndoError("the recorded undo has no 'pids'; it cannot be carried out")
    for entry in undo["pids"]:
        try:
            pid, start_ticks = entry
            root = ProcessId(int(pid), int(start_ticks))
        except (TypeError, ValueError):
            raise UndoError(f"the recorded undo names {entry!r} as a process") from None
        for who in (root, *tree_of(root)):
            if who not in found:
                found.append(who)
    return found


class Pause(LateParams):
    """SIGSTOP, undone by SIGCONT to the same processes."""

    kind = "pause"

    def component(self, params: PauseParams) -> str:
        return params.pause

    def prepare(self, params: PauseParams, context: StepContext) -> dict[str, Any]:
        undo = begin_undo(self.kind, params.pause, params, context)
        if (who := running(undo["pid_file"])) is None:
            raise EnvironmentRefusal(
                f"{params.pause} does not run: {undo['pid_file']} names nobody"
            )
        if why := why_not_to_harm(undo["pid_file"], who):
            raise EnvironmentRefusal(f"{params.pause}: {why}")
        if is_stopped(who):
            raise EnvironmentRefusal(f"{params.pause}: pid {who.pid} is already stopped")
        pids = [[one.pid, one.start_ticks] for one in tree_of(who)]
        return undo | {"pids": pids, "expiry": f"{context.run}-{who.pid}-{who.start_ticks}"}

    def apply(self, undo: Undo, context: StepContext) -> str:
        name = recorded(undo, "component")
        targets = _targets(undo)
        if not targets or running(recorded(undo, "pid_file")) != targets[0]:
            raise StepError(f"{name} is not the process that was prepared; nothing was stopped")
        root = targets[0]
        try:
            expiry.arm(recorded(undo, "expiry"), targets, undo["expires_ns"] / 1e9)
        except (OSError, subprocess.SubprocessError) as err:
            raise StepError(
                f"{name}: its expiry cannot be armed: {err}; nothing was stopped"
            ) from err
        held = freeze(root, deadline_ns=context.deadline_ns)
        if not held or not is_stopped(root):
            raise StepError(f"{name}: pid {root.pid} did not stop")
        return f"stopped {name}: pid {root.pid}, {len(held)} processes"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        name = recorded(undo, "component")
        targets = _targets(undo)
        stopped = [who for who in targets if is_stopped(who)]
        # Children first: a parent that wakes early may take a silent child for a dead one.
        for who in reversed(targets):
            send(signal.SIGCONT, who)
        if not wait_until(
            lambda: not any(is_stopped(who) for who in targets), deadline_ns=deadline_ns
        ):
            raise UndoError(f"{name} is still stopped", self.by_hand(undo))
        # Last: until here it still is the way out if this process dies too.
        if isinstance(undo.get("expiry"), str):
            expiry.cancel(undo["expiry"])
        if stopped:
            return f"continued {name}: {len(stopped)} processes"
        alive = any(is_alive(who) for who in targets)
        return f"{name} is running" if alive else f"{name}: what was stopped is gone"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        left = [str(who.pid) for who in _targets(undo) if is_stopped(who)]
        return f"{recorded(undo, 'component')} is stopped: pid {', '.join(left)}" if left else None

    def by_hand(self, undo: Undo) -> str:
        pids = [str(who.pid) for who in _targets(undo) if is_alive(who)]
        return f"kill -CONT {' '.join(pids)}" if pids else "true  # nothing is left to continue"
