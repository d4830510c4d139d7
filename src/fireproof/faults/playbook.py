"""``playbook``: harm by a playbook of yours, undone by another, and looked for by a third.

What these do is yours, so is the expiry on the target: ``fireproof_expires_s`` tells the breaking
playbook how long the fault may stand, for its ``systemd-run --on-active`` or ``timeout``.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.children.playbook import component_facts, run_playbook
from fireproof.errors import EnvironmentRefusal, FireproofError, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, allowed_component, recorded

if TYPE_CHECKING:
    from fireproof.faults.params import PlaybookFaultParams
    from fireproof.model.ports import StepContext

_KEPT = ("events.jsonl", "stdout.txt")


class PlaybookFault(LateParams):
    """Runs playbooks on the control host; what they reach is their inventory's business."""

    kind = "playbook"

    def component(self, params: PlaybookFaultParams) -> str:
        return params.component

    def prepare(self, params: PlaybookFaultParams, context: StepContext) -> dict[str, Any]:
        from fireproof.model.environment import resolve  # loads pydantic, which an undo must not

        allowed_component(self.kind, params.component, context)
        project = context.project.absolute()
        paths = {"apply": params.playbook, "undo": params.undo, "present": params.present}
        found = {role: str(project / name) for role, name in paths.items() if name}
        if missing := [path for path in found.values() if not Path(path).is_file()]:
            raise EnvironmentRefusal(f"there is no playbook {missing[0]}")
        given = params.vars.items()
        variables = {name: resolve(t, context.environment, context.saved) for name, t in given}
        return {
            "kind": self.kind,
            "component": params.component,
            "run": context.run,
            "project": str(project),
            "playbooks": found,
            "vars": variables | {"fireproof_expires_s": str(params.expires // 10**9)},
            "components": component_facts(context.environment),
            "timeout_ns": params.timeout,
            "expires_ns": params.expires,
        }

    def apply(self, undo: Undo, context: StepContext) -> str:
        told = _run("apply", undo, context.deadline_ns, keep=context.bag / context.outputs)
        if why := _why(told):
            raise StepError(f"{_name('apply', undo)}: {why}")
        return f"{_name('apply', undo)}: {told.get('changed')} tasks changed something"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        if recovered and self.present(undo, recovered=recovered) is None:
            return "nothing is left to take back"
        try:
            told = _run("undo", undo, deadline_ns)
        except FireproofError as err:
            raise UndoError(str(err), self.by_hand(undo)) from err
        if why := _why(told):
            raise UndoError(f"{_name('undo', undo)}: {why}", self.by_hand(undo))
        return f"{_name('undo', undo)}: {told.get('changed')} tasks changed something"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        timeout_ns = undo.get("timeout_ns")
        if not isinstance(timeout_ns, int):
            raise UndoError("the recorded undo has no 'timeout_ns'; it cannot be carried out")
        deadline_ns = time.monotonic_ns() + timeout_ns
        role = "present" if "present" in _playbooks(undo) else "undo"
        told = _run(role, undo, deadline_ns, check=role == "undo")
        name = _name(role, undo)
        if why := _why(told):
            return f"{name}: {why}"
        if role == "present":
            return None
        if told.get("changed"):
            return f"{name} would still change something: {told['changed']} tasks"
        if told.get("skipped") or not told.get("ok"):
            return (
                f"{name} in check mode cannot tell: {told.get('skipped')} tasks were skipped; "
                "add `present:` with a playbook that looks"
            )
        return None

    def by_hand(self, undo: Undo) -> str:
        facts = {
            **undo.get("vars", {}),
            "fireproof_run": recorded(undo, "run"),
            "fireproof_project": recorded(undo, "project"),
            "fireproof_components": undo.get("components", {}),
            "ansible_python_interpreter": sys.executable,
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [program, "-i", "localhost,", "-c", "local", _playbooks(undo)["undo"]]
        command = shlex.join([*argv, "-e", json.dumps(facts)])
        return f"cd {shlex.quote(recorded(undo, 'project'))} && {command}"


def _playbooks(undo: Undo) -> dict[str, str]:
    found = undo.get("playbooks")
    if not isinstance(found, dict) or not isinstance(found.get("undo"), str):
        raise UndoError("the recorded undo has no 'playbooks'; it cannot be carried out")
    return found


def _name(role: str, undo: Undo) -> str:
    return Path(_playbooks(undo)[role]).name


def _why(told: dict[str, Any]) -> str:
    """Why it did not do its work; empty when it did."""
    if "late" in told:
        task = f" in task {told['task']!r}" if told.get("task") else ""
        return f"did not end in time{task}; killed"
    if "why" in told:
        return str(told["why"])
    return "" if told.get("hosts") else "no task ran on any host"


def _run(
    role: str, undo: Undo, deadline_ns: int, *, keep: Path | None = None, check: bool = False
) -> dict[str, Any]:
    """Run one of the three; its output is kept in the bag when there is one."""
    playbook, run = _playbooks(undo)[role], recorded(undo, "run")
    if not Path(playbook).is_file():
        raise UndoError(f"there is no playbook {playbook} any more")
    # The run's name in it, so that what a killed run leaves is found and removed.
    with tempfile.TemporaryDirectory(prefix=f"fireproof-{run[:36]}-{role}-") as outputs:
        try:
            return run_playbook(
                Path(playbook),
                run=run,
                project=Path(recorded(undo, "project")),
                outputs=Path(outputs),
                variables=undo.get("vars") or {},
                components=undo.get("components") or {},
                deadline_ns=deadline_ns,
                check=check,
            )
        finally:
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                for name in _KEPT:
                    with contextlib.suppress(FileNotFoundError):
                        shutil.copyfile(Path(outputs, name), keep / name)
                with contextlib.suppress(OSError):
                    keep.rmdir()  # empty: a bag cannot hold it
