"""``kill``: the server's process ends at once, and with SIGKILL its children too."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, begin_undo, recorded, recorded_argv
from fireproof.faults.server import (
    ControlError,
    end_tree,
    running,
    send,
    start_server,
    wait_until,
    why_not_to_harm,
)
from fireproof.processes import is_alive

if TYPE_CHECKING:
    from fireproof.faults.params import KillParams
    from fireproof.model.ports import StepContext


class Kill(LateParams):
    """Undone by the component's own start command."""

    kind = "kill"

    def component(self, params: KillParams) -> str:
        return params.kill

    def prepare(self, params: KillParams, context: StepContext) -> dict[str, Any]:
        undo = begin_undo(self.kind, params.kill, params, context)
        if (who := running(undo["pid_file"])) is None:
            raise EnvironmentRefusal(f"{params.kill} does not run: {undo['pid_file']} names nobody")
        if why := why_not_to_harm(undo["pid_file"], who):
            raise EnvironmentRefusal(f"{params.kill}: {why}")
        return undo | {"signal": params.signal}

    def apply(self, undo: Undo, context: StepContext) -> str:
        name, deadline = recorded(undo, "component"), context.deadline_ns
        pid_file, signame = recorded(undo, "pid_file"), f"SIG{recorded(undo, 'signal')}"
        if (who := running(pid_file)) is None:
            raise StepError(f"{name} does not run any more; nothing was killed")
        if why := why_not_to_harm(pid_file, who):
            raise StepError(f"{name}: {why}; nothing was killed")
        if signame == "SIGKILL":
            try:
                count = end_tree(who, deadline_ns=deadline, beat=context.beat)
            except ControlError as err:
                raise StepError(f"{name}: {err}") from err
            return f"killed {name}: pid {who.pid}, {count} processes"
        send(signal.Signals[signame], who)
        gone = wait_until(lambda: not is_alive(who), deadline_ns=deadline, beat=context.beat)
        if not gone:
            raise StepError(f"{name}: pid {who.pid} is still alive after {signame}")
        return f"ended {name}: pid {who.pid} by {signame}"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        name, pid_file = recorded(undo, "component"), recorded(undo, "pid_file")
        if running(pid_file):
            return f"{name} is already running"
        try:
            start_server(
                recorded_argv(undo, "start"),
                pid_file=pid_file,
                cwd=recorded(undo, "project"),
                deadline_ns=deadline_ns,
            )
        except ControlError as err:
            raise UndoError(f"{name}: {err}", self.by_hand(undo)) from err
        return f"started {name}"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        pid_file = recorded(undo, "pid_file")
        if running(pid_file):
            return None
        return f"{recorded(undo, 'component')} does not run: {pid_file} names nobody"

    def by_hand(self, undo: Undo) -> str:
        return shlex.join(recorded_argv(undo, "start"))
