"""Runs one step inside a phase: record, act within the time allowed, record."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fireproof.clock import monotonic_ns
from fireproof.engine.services import Services
from fireproof.errors import FireproofError
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupts
from fireproof.model.drill import Use
from fireproof.model.plan import Plan
from fireproof.model.ports import StepContext, StepResult


class Stage:
    """Where steps run; remembers what they saved and whether their checks held."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        services: Services,
        note: Callable[..., None],
        interrupts: Interrupts,
        heart: Heart,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._services = services
        self._note = note
        self._interrupts = interrupts
        self._heart = heart
        self._saved: dict[str, str] = {}
        self.phase = "open"
        self.checks_hold = True
        self.last_detail = ""

    def context(self, phase: str, index: int, kind: str, timeout_ns: int) -> StepContext:
        """What a step or fault may know; its clock starts now."""
        return StepContext(
            run=self._plan.run,
            project=Path.cwd(),
            environment=self._plan.environment,
            bag=self._folder.bag,
            outputs=f"data/outputs/{phase}-{index:02d}-{kind}",
            deadline_ns=monotonic_ns() + timeout_ns,
            saved=dict(self._saved),
        )

    def run_step(self, index: int, use: Use) -> bool | None:
        """True when it succeeded, False when not, None when that could not be told."""
        step = self._services.steps[use.kind]
        params = step.params.model_validate(use.params)
        self._note(
            "step-start",
            phase=self.phase,
            index=index,
            kind=use.kind,
            label=use.label(),
            timeout_ns=params.timeout,
        )
        context = self.context(self.phase, index, use.kind, params.timeout)
        (context.bag / context.outputs).mkdir(parents=True, exist_ok=True)
        self._heart.allow(params.timeout / 1e9)
        before = monotonic_ns()
        try:
            with self._interrupts.armed():
                result = step.run(params, context)
        except FireproofError as error:
            result = StepResult(False, str(error))
        except OSError as error:
            # Our own disk or files, not the system's: whether the step's work was done is unknown.
            result = StepResult(None, f"{error.strerror or error}: {error.filename or use.kind}")
        except Exception as error:  # a step that crashes told us nothing
            result = StepResult(None, f"the step crashed: {type(error).__name__}: {error}")
        after = monotonic_ns()
        self._finish(index, use, params.save, result, context, before, after)
        return result.ok

    def _finish(
        self,
        index: int,
        use: Use,
        save: str | None,
        result: StepResult,
        context: StepContext,
        before: int,
        after: int,
    ) -> None:
        if save is not None and result.saved is not None:
            self._saved[save] = result.saved
        self.last_detail = result.detail
        for check in result.checks:
            self.checks_hold &= check.ok is True
            self._note(
                "check",
                name=check.name,
                ok=check.ok,
                expected=check.expected,
                observed=check.observed,
                before_ns=before,
                after_ns=after,
                phase=self.phase,
                index=index,
            )
        self._note(
            "step-end",
            phase=self.phase,
            index=index,
            kind=use.kind,
            label=use.label(),
            ok=result.ok,
            detail=result.detail,
            before_ns=before,
            after_ns=after,
            files=sorted(_files_below(context.bag / context.outputs, context.bag)),
            saved=result.saved if save is not None else None,
        )


def _files_below(folder: Path, bag: Path) -> list[str]:
    """What the step left as evidence; an empty folder is removed, a bag cannot hold it."""
    found = [str(path.relative_to(bag)) for path in folder.rglob("*") if path.is_file()]
    for root, _, _ in os.walk(folder, topdown=False):
        if not os.listdir(root):
            os.rmdir(root)
    return found
