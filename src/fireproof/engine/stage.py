"""Runs one step inside a phase: record, act within the time allowed, record."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fireproof.clock import monotonic_ns
from fireproof.engine.services import Services
from fireproof.errors import EnvironmentRefusal, FireproofError
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupts
from fireproof.model.drill import StepParams, Use
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
        self._undos = 0  # of steps, written down so far
        self.phase = "open"
        self.checks_hold = True
        self.last_detail = ""

    def context(self, phase: str, index: int, kind: str, timeout_ns: int) -> StepContext:
        """What a step or fault may know; its clock starts now."""
        return StepContext(
            run=self._plan.run,
            project=Path.cwd(),
            environment=self._services.secrets.reveal(),
            bag=self._folder.bag,
            outputs=f"data/outputs/{phase}-{index:02d}-{kind}",
            deadline_ns=monotonic_ns() + timeout_ns,
            saved=dict(self._saved),
            secret=self._services.secrets.holds,
            mailbox=self._folder.root / "acknowledge" / f"{phase}-{index:02d}",
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
            self._write_down_the_undo(use, params, context)
            with self._off_the_disk(context) as inside, self._interrupts.armed():
                result = step.run(params, inside)
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

    def _write_down_the_undo(self, use: Use, params: StepParams, context: StepContext) -> None:
        """Durable before the step begins, as that of a fault; numbered after the drill's faults.

        The step injects nothing, so no clock starts here.

        Raises:
            FireproofError: nothing was done, and the step may not begin.
        """
        harm = params.harm()
        if harm is None:
            return
        fault = self._services.faults["playbook"]
        told = fault.params.model_validate(harm)
        undo = fault.prepare(told, context)
        if self._services.secrets.redact(undo) != undo:
            raise EnvironmentRefusal("its undo would hold a secret, and be written down")
        self._note(
            "intent",
            fault=len(self._plan.drill.fault) + self._undos,
            kind=fault.kind,
            component=fault.component(told),
            undo=undo,
            expires_ns=told.expires,
            label=use.label(),
        )
        self._undos += 1

    @contextmanager
    def _off_the_disk(self, context: StepContext) -> Iterator[StepContext]:
        """The context in which a step writes; its files reach the disk without secrets.

        A run without secrets writes straight into the bag. Otherwise outputs rest in memory while
        the step lasts, whatever tool wrote them, and are copied through the redaction after it.
        """
        secrets = self._services.secrets
        if not secrets.guards():
            yield context
            return
        prefix = f"fireproof-{context.run}-outputs-"  # what a killed run leaves is found by this
        staging = Path(tempfile.mkdtemp(prefix=prefix, dir=_memory()))
        try:
            (staging / context.outputs).mkdir(parents=True)
            yield replace(context, bag=staging)
        finally:
            try:
                for name in _files_below(staging / context.outputs, staging):
                    if not (staging / name).is_symlink():
                        secrets.keep(staging / name, context.bag / name)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

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


def _memory() -> Path:
    """A folder that is no disk.

    Raises:
        EnvironmentRefusal: when there is none, and a secret would touch the disk.
    """
    for place in (Path("/dev/shm"), Path(f"/run/user/{os.getuid()}")):  # noqa: S108 (mkdtemp)
        if os.access(place, os.W_OK | os.X_OK):
            return place
    raise EnvironmentRefusal(
        "this run was given secrets, and there is neither /dev/shm nor /run/user to keep a step's "
        "outputs in until the secrets are out of them"
    )


def _files_below(folder: Path, bag: Path) -> list[str]:
    """What the step left as evidence; an empty folder is removed, a bag cannot hold it."""
    found = [str(path.relative_to(bag)) for path in folder.rglob("*") if path.is_file()]
    for root, _, _ in os.walk(folder, topdown=False):
        if not os.listdir(root):
            os.rmdir(root)
    return found
