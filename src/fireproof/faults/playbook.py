"""``playbook``: harm by a playbook of yours, undone by another, and looked for by a third.

On hosts of an inventory a script of yours is left there first, with a timer: it undoes the harm
when nobody comes back. On this host what they do is yours, and so is the expiry:
``fireproof_expires_s`` tells the breaking playbook how long the fault may stand.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.children.hosts import LOCALHOST, Reach, by_hand, reach_of, remote_hosts
from fireproof.children.playbook import component_facts, run_playbook
from fireproof.children.target_expiry import NONE, TargetExpiry, tell, unfit_names
from fireproof.errors import EnvironmentRefusal, FireproofError, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, allowed_component, recorded

if TYPE_CHECKING:
    from fireproof.faults.params import PlaybookFaultParams
    from fireproof.model.ports import StepContext

_KEPT = ("events.jsonl", "stdout.txt")


class PlaybookFault(LateParams):
    """Runs playbooks on the hosts of the component, or on this one when it has none."""

    kind = "playbook"

    def component(self, params: PlaybookFaultParams) -> str:
        return params.component

    def prepare(self, params: PlaybookFaultParams, context: StepContext) -> dict[str, Any]:
        from fireproof.model.environment import resolve  # loads pydantic, which an undo must not

        allowed_component(self.kind, params.component, context)
        project = context.project.absolute()
        paths = {"apply": params.playbook, "undo": params.undo, "present": params.present}
        paths["expiry"] = params.expiry
        found = {role: str(project / name) for role, name in paths.items() if name}
        if missing := [path for path in found.values() if not Path(path).is_file()]:
            raise EnvironmentRefusal(f"there is no playbook {missing[0]}")
        reach = reach_of(context.environment, project, params.component)
        given = params.vars.items()
        variables = {name: resolve(t, context.environment, context.saved) for name, t in given}
        script = found.pop("expiry", "")
        undo = {
            "kind": self.kind,
            "component": params.component,
            "run": context.run,
            "project": str(project),
            "reach": reach,
            "playbooks": found,
            "vars": variables | {"fireproof_expires_s": str(params.expires // 10**9)},
            # An undo is written down: it has to do without what may not be.
            "components": component_facts(context.environment, without=context.secret),
            "timeout_ns": params.timeout,
            "expires_ns": params.expires,
        }
        if remote_hosts(reach):
            undo |= _expiry_of(params.component, script, variables, context.run)
            _look_before(undo, params.component, context.deadline_ns)
        return undo

    def arm(self, undo: Undo, context: StepContext) -> None:
        """Before the harm, and before its clock starts: the way out that needs nobody."""
        expiry = _expiry(undo)
        if expiry is not None:
            script, after_s = Path(recorded(undo, "script")), undo["expires_ns"] // 10**9
            expiry.arm(script, undo.get("vars") or {}, after_s, context.deadline_ns)

    def apply(self, undo: Undo, context: StepContext) -> str:
        whole = undo | {"components": component_facts(context.environment)}
        told = _run("apply", whole, context.deadline_ns, keep=context.bag / context.outputs)
        if why := _why(told):
            raise StepError(f"{_name('apply', undo)}: {why}")
        return f"{_name('apply', undo)}: {told.get('changed')} tasks changed something"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        if recovered and self._harm(undo) is None:
            said = "nothing is left to take back"
        else:
            try:
                told = _run("undo", undo, deadline_ns)
            except FireproofError as err:
                raise UndoError(str(err), self.by_hand(undo)) from err
            if why := _why(told):
                raise UndoError(f"{_name('undo', undo)}: {why}", self.by_hand(undo))
            said = f"{_name('undo', undo)}: {told.get('changed')} tasks changed something"
        # Last: until here it still is the way out if this process dies too.
        expiry = _expiry(undo)
        return f"{said}; expiry: {tell(expiry.call_off(deadline_ns))}" if expiry else said

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        left = self._harm(undo)
        expiry = _expiry(undo)
        if left is not None or expiry is None:
            return left
        found = expiry.look(_soon(undo))
        armed = {host: answer for host, answer in found.items() if answer != NONE}
        return f"expiry on the target: {tell(armed)}" if armed else None

    def _harm(self, undo: Undo) -> str | None:
        """What is left of the harm itself, as the component's owner looks for it."""
        deadline_ns = _soon(undo)
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
        }
        command = by_hand(_playbooks(undo)["undo"], _reach(undo), facts)
        return f"cd {shlex.quote(recorded(undo, 'project'))} && {command}"


def _playbooks(undo: Undo) -> dict[str, str]:
    found = undo.get("playbooks")
    if not isinstance(found, dict) or not isinstance(found.get("undo"), str):
        raise UndoError("the recorded undo has no 'playbooks'; it cannot be carried out")
    return found


def _reach(undo: Undo) -> Reach:
    found = undo.get("reach")
    return found if isinstance(found, dict) else {"groups": {}, "limit": [LOCALHOST]}


def _soon(undo: Undo) -> int:
    timeout_ns = undo.get("timeout_ns")
    if not isinstance(timeout_ns, int):
        raise UndoError("the recorded undo has no 'timeout_ns'; it cannot be carried out")
    return time.monotonic_ns() + timeout_ns


def _expiry_of(name: str, script: str, variables: dict[str, str], run: str) -> Undo:
    """What the undo must know of the expiry on the target.

    Raises:
        EnvironmentRefusal: when there could be none.
    """
    if not script:
        raise EnvironmentRefusal(
            f"{name!r} lives on hosts of an inventory, and 'playbook' has no `expiry:`; add the "
            "script that undoes the harm there when nobody comes back"
        )
    if unfit := unfit_names(variables):
        raise EnvironmentRefusal(
            f"vars.{unfit[0]}: the expiry's script gets variables of a shell; expected letters, "
            "digits and '_'"
        )
    return {"script": script, "expiry": f"{run}-{name}-{secrets.token_hex(4)}"}


def _expiry(undo: Undo) -> TargetExpiry | None:
    if "expiry" not in undo:
        return None
    project = Path(recorded(undo, "project"))
    return TargetExpiry(recorded(undo, "run"), recorded(undo, "expiry"), project, _reach(undo))


def _look_before(undo: Undo, name: str, deadline_ns: int) -> None:
    """Reach every host once while nothing is broken; a host that is gone then is none to break."""
    expiry = _expiry(undo)
    try:
        found = expiry.look(deadline_ns) if expiry else {}
    except StepError as err:
        raise EnvironmentRefusal(f"{name}: {err}") from err
    if there := [host for host, answer in found.items() if answer != NONE]:
        raise EnvironmentRefusal(f"{name}: {there[0]}: an expiry of this name is there already")


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
                reach=_reach(undo),
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
