"""``playbook``: an Ansible playbook, run from this host, on the hosts that components live on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from fireproof.children.hosts import reach_of
from fireproof.children.playbook import component_facts, run_playbook
from fireproof.errors import StepError
from fireproof.model.drill import Name, StepParams
from fireproof.model.ports import StepContext, StepResult
from fireproof.model.quantity import format_duration
from fireproof.model.strict import unsaid
from fireproof.steps.handback import read_handback
from fireproof.steps.outputs import collect, fill, one_line, outputs_folder, worst

_WAY_BACK = ("undo", "present", "component")


class PlaybookParams(StepParams):
    """``{playbook: playbooks/restore.yml, vars: {target: …}, timeout: 5m}``.

    With ``undo:`` it is written down before the step begins, and carried out at the end of the run
    if ``present:`` still finds something, whoever died. Both are as those of a playbook fault.
    """

    playbook: str
    vars: Mapping[str, str] = {}
    undo: str | None = Field(default=None, exclude_if=unsaid)
    present: str | None = Field(default=None, exclude_if=unsaid)
    component: Name | None = Field(default=None, exclude_if=unsaid)

    @model_validator(mode="after")
    def _whole(self) -> PlaybookParams:
        told = [name for name in _WAY_BACK if getattr(self, name) is not None]
        if told and len(told) < len(_WAY_BACK):
            missing = next(name for name in _WAY_BACK if name not in told)
            raise ValueError(f"{told[0]!r} is one of undo, present, component; add `{missing}:`")
        return self

    def procedures(self) -> tuple[str, ...]:
        return (self.playbook, *filter(None, (self.undo, self.present)))

    def harm(self) -> Mapping[str, Any] | None:
        if self.undo is None:
            return None
        return self.model_dump(mode="json", include={"playbook", "vars", "timeout", *_WAY_BACK})


class Playbook:
    """Runs one playbook to its end or to the deadline, then its whole tree is gone."""

    kind = "playbook"
    params: type[StepParams] = PlaybookParams

    def run(self, params: PlaybookParams, context: StepContext) -> StepResult:
        playbook = context.project / fill(params.playbook, context)
        if not playbook.is_file():
            raise StepError(f"there is no playbook {playbook}")
        folder = outputs_folder(context).absolute()
        told = run_playbook(
            playbook.absolute(),
            run=context.run,
            project=context.project.absolute(),
            outputs=folder,
            variables={name: fill(text, context) for name, text in params.vars.items()},
            components=component_facts(context.environment),
            reach=reach_of(context.environment, context.project.absolute()),
            deadline_ns=context.deadline_ns,
            beat=context.beat,
        )
        return self._result(params, context, told)

    def _result(
        self, params: PlaybookParams, context: StepContext, told: Mapping[str, Any]
    ) -> StepResult:
        folder = context.bag / context.outputs
        back = read_handback(folder)
        ok: bool | None
        if "late" in told:
            ok, why = False, f"did not end within {format_duration(params.timeout)}; killed"
            if task := told.get("task"):
                why += f" in task {task!r}"
        elif "why" in told:
            ok, why = False, str(told["why"])
        elif not told.get("hosts"):
            ok, why = None, "no task ran on any host"
        elif back.problem:
            ok, why = None, back.problem
        else:
            ok, why = worst([True, *(check.ok for check in back.checks)]), "done"
            unmet = [check.name for check in back.checks if check.ok is not True]
            if unmet:
                why = f"not shown by its own checks: {', '.join(unmet)}"
        files, removed = collect(context)
        if removed and ok:
            ok, why = None, f"left {removed[0]}, which is not a plain file"
        detail = one_line(f"{Path(params.playbook).name}: {why}")
        return StepResult(ok, detail, back.checks, back.saved, files)
