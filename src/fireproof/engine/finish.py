"""The end of a run: judge what is on disk, seal it, write the result."""

from __future__ import annotations

import shutil
from typing import Any

from fireproof.clock import utc_label
from fireproof.engine.cleanup import Cleanup
from fireproof.engine.observation import environment_record
from fireproof.engine.services import Services
from fireproof.errors import EvidenceError, FireproofError
from fireproof.guard.folder import RunFolder
from fireproof.model.judgement import Judgement
from fireproof.model.plan import Plan
from fireproof.model.verdict import ExitCode, Outcome, heaviest_exit

NOT_JUDGED = Judgement(
    Outcome.ABORTED_DIRTY,
    ExitCode.DIRTY,
    "the records do not hold, so nothing is known",
    (),
    (),
    {},
)


def finish(
    folder: RunFolder, plan: Plan, plan_sha256: str, services: Services, cleanup: Cleanup
) -> dict[str, Any]:
    """Judge and seal; returns the result as ``result.json`` holds it.

    Without a sealed bundle there is no ``result.json``: the run stays unfinished, its records stay
    where they are, and ``fireproof recover`` seals it once the cause is gone.
    """
    try:
        judgement = services.judge_bag(folder.bag)
    except (FireproofError, OSError, ValueError) as error:
        return _unsealed(describe(folder, plan, NOT_JUDGED), f"{error}")
    result = describe(folder, plan, judgement)
    if cleanup.internal_error is not None:
        result["exit_code"] = heaviest_exit([judgement.exit_code, ExitCode.INTERNAL])
    if cleanup.remarks:
        result["remarks"] = list(cleanup.remarks)
    if cleanup.journal_error is not None:
        return _unsealed(result, f"{cleanup.journal_error}")
    run_record = {
        "format": "fireproof-run/v1",
        "run": plan.run,
        "sealed_at": utc_label(),
        "plan_sha256": plan_sha256,
        "environment_record": environment_record(dict(plan.environment.record)),
        "judgement": judgement.to_json(),
    }
    try:
        sealed = services.seal(folder.bag, run=plan.run, run_record=run_record)
    except EvidenceError as error:
        return _unsealed(result, str(error))
    result |= {"bundle": str(sealed.path), "identity": sealed.identity}
    try:
        folder.write_result(result)
    except OSError as error:
        # The sweeper finds the bundle and writes the result once it can.
        return _unsealed(result, f"sealed at {sealed.path}, but {folder.result}: {error.strerror}")
    return result


def describe(folder: RunFolder, plan: Plan, judgement: Judgement) -> dict[str, Any]:
    """The result of a run before it is sealed."""
    return {
        "format": "fireproof-result/v1",
        "run": plan.run,
        "drill": plan.drill.drill,
        "environment": plan.environment.environment,
        "folder": str(folder.root),
        "exit_code": judgement.exit_code,
        "judgement": judgement.to_json(),
        "bundle": None,
        "identity": None,
    }


def discard_bag(folder: RunFolder) -> None:
    """Remove the working copy of a bag that is already sealed elsewhere."""
    shutil.rmtree(folder.bag, ignore_errors=True)


def _unsealed(result: dict[str, Any], why: str) -> dict[str, Any]:
    code = heaviest_exit([result["exit_code"], ExitCode.EVIDENCE])
    return result | {"exit_code": code, "unsealed": why}
