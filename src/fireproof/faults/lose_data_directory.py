"""``lose-data-directory``: the server dies and its data is nowhere; the undo moves it back."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, begin_undo, recorded, recorded_argv
from fireproof.faults.directory import move, using, why_not_to_move
from fireproof.faults.server import (
    ControlError,
    control,
    end_tree,
    running,
    start_server,
    tree_of,
    wait_until,
)
from fireproof.faults.server import why_not_to_harm as why_not_to_kill

if TYPE_CHECKING:
    from fireproof.faults.params import LoseDataDirectoryParams
    from fireproof.model.ports import StepContext


def _stop_command(undo: Undo, deadline_ns: int, beat: Callable[[], None] = lambda: None) -> None:
    argv, cwd = recorded_argv(undo, "stop"), recorded(undo, "project")
    control(argv, cwd=cwd, deadline_ns=deadline_ns, beat=beat)


class LoseDataDirectory(LateParams):
    """Renames the directory aside; neither the fault nor its undo ever deletes anything."""

    kind = "lose-data-directory"

    def component(self, params: LoseDataDirectoryParams) -> str:
        return params.lose_data_directory

    def prepare(self, params: LoseDataDirectoryParams, context: StepContext) -> dict[str, Any]:
        name = params.lose_data_directory
        undo = begin_undo(self.kind, name, params, context)
        directory = context.environment.component(name).get("data-directory")
        if not directory:
            raise EnvironmentRefusal(f"{name} has no `data-directory` to lose")
        undo["directory"] = directory
        undo["aside"] = f"{directory}.aside-{context.run}"
        if why := why_not_to_move(directory, undo["aside"], keep=(context.bag, context.project)):
            raise EnvironmentRefusal(f"{name}: {why}")
        who = running(undo["pid_file"])
        if who is None:
            raise EnvironmentRefusal(f"{name} does not run: {undo['pid_file']} names nobody")
        if why := why_not_to_kill(undo["pid_file"], who):
            raise EnvironmentRefusal(f"{name}: {why}")
        own = {one.pid for one in tree_of(who)}
        if strangers := [text for pid, text in using(directory) if pid not in own]:
            raise EnvironmentRefusal(f"{name}: {directory} is also used by {', '.join(strangers)}")
        return undo

    def apply(self, undo: Undo, context: StepContext) -> str:
        name, deadline = recorded(undo, "component"), context.deadline_ns
        directory, aside = recorded(undo, "directory"), recorded(undo, "aside")
        pid_file, killed = recorded(undo, "pid_file"), 0
        try:
            # A loss gives no warning: the server is killed, not asked.
            if who := running(pid_file):
                if why := why_not_to_kill(pid_file, who):
                    raise StepError(f"{name}: {why}; nothing was killed")
                killed = end_tree(who, deadline_ns=deadline, beat=context.beat)
            _stop_command(undo, deadline, context.beat)
            if who := running(pid_file):
                raise StepError(f"{name} runs again as pid {who.pid} after its stop command")
            move(directory, aside)
        except (ControlError, OSError) as err:
            raise StepError(f"{name}: {err}") from err
        gone = wait_until(lambda: not using(aside), deadline_ns=deadline, beat=context.beat)
        if not gone:
            users = ", ".join(text for _, text in using(aside))
            raise StepError(f"{name}: the lost directory is still used by {users}")
        return f"killed {name} ({killed} processes); moved {directory} to {aside}"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        try:
            if recovered:
                return self._leave_aside(undo)
            return self._move_back(undo, deadline_ns)
        except (ControlError, OSError) as err:
            text = f"{recorded(undo, 'component')}: {err}"
            raise UndoError(text, self.by_hand(undo)) from err

    def _leave_aside(self, undo: Undo) -> str:
        """Nothing to do, once it is certain that the service does not run from the lost copy."""
        name, aside = recorded(undo, "component"), recorded(undo, "aside")
        if users := using(aside):
            text = f"{name}: the set-aside original {aside} is used by {users[0][1]}"
            raise UndoError(text, self.by_hand(undo))
        if not os.path.lexists(aside):
            return f"nothing to move back: there is no {aside}"
        return f"service stays on the restored copy; the original is kept aside at {aside}"

    def _move_back(self, undo: Undo, deadline_ns: int) -> str:
        name, pid_file = recorded(undo, "component"), recorded(undo, "pid_file")
        directory, aside = recorded(undo, "directory"), recorded(undo, "aside")
        if not os.path.lexists(aside):
            if not os.path.isdir(directory):
                raise ControlError(f"neither {directory} nor {aside} exists")
            if running(pid_file):
                return f"nothing to take back: {directory} is in its place and {name} runs"
            self._start(undo, deadline_ns)
            return f"{directory} was in its place; started {name}"
        self._stop(undo, deadline_ns)
        newcomer = ""
        if os.path.lexists(directory):
            newcomer = self._found(undo)
            move(directory, newcomer)
        move(aside, directory)
        self._start(undo, deadline_ns)
        kept = f"; what had taken its place is kept at {newcomer}" if newcomer else ""
        return f"moved {directory} back and started {name}{kept}"

    def _found(self, undo: Undo) -> str:
        """A free name for a directory that somebody made where the lost one was."""
        base = f"{recorded(undo, 'directory')}.found-{recorded(undo, 'run')}"
        names = [base, *(f"{base}-{number}" for number in range(2, 1000))]
        return next(name for name in names if not os.path.lexists(name))

    def _stop(self, undo: Undo, deadline_ns: int) -> None:
        """Stop it in good order within half the time left, else end its tree."""
        now, pid_file = time.monotonic_ns(), recorded(undo, "pid_file")
        failed: ControlError | None = None
        try:
            _stop_command(undo, now + max(0, deadline_ns - now) // 2)
        except ControlError as err:
            failed = err
        if (who := running(pid_file)) is None:
            return
        if why := why_not_to_kill(pid_file, who):
            raise ControlError(f"{why}; it was left alone") from failed
        end_tree(who, deadline_ns=deadline_ns)

    def _start(self, undo: Undo, deadline_ns: int) -> None:
        start_server(
            [*recorded_argv(undo, "start"), f"data-directory={recorded(undo, 'directory')}"],
            pid_file=recorded(undo, "pid_file"),
            cwd=recorded(undo, "project"),
            deadline_ns=deadline_ns,
        )

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        name, pid_file = recorded(undo, "component"), recorded(undo, "pid_file")
        directory, aside = recorded(undo, "directory"), recorded(undo, "aside")
        if not recovered and os.path.lexists(aside):
            return f"the data directory of {name} is still aside at {aside}"
        if not recovered and not os.path.isdir(directory):
            return f"the data directory of {name} is not at {directory}"
        if recovered and (users := using(aside)):
            return f"the set-aside original of {name} is used by {users[0][1]}"
        if running(pid_file) is None:
            return f"{name} does not run: {pid_file} names nobody"
        return None

    def by_hand(self, undo: Undo) -> str:
        directory, aside = recorded(undo, "directory"), recorded(undo, "aside")
        quoted = {key: shlex.quote(text) for key, text in (("d", directory), ("a", aside))}
        quoted["f"] = shlex.quote(f"{directory}.found-{recorded(undo, 'run')}")
        back = (
            "{{ [ ! -e {a} ] || {{ {{ [ ! -e {d} ] || mv -T {d} {f}; }} && mv -T {a} {d}; }}; }}"
        ).format(**quoted)
        start = [*recorded_argv(undo, "start"), f"data-directory={directory}"]
        cd = f"cd {shlex.quote(str(Path(recorded(undo, 'project'))))}"
        return f"{cd}; {shlex.join(recorded_argv(undo, 'stop'))}; {back} && {shlex.join(start)}"
