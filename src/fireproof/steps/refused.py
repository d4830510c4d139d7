"""``refused``: a control experiment. A playbook meets a known-bad input and must refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from fireproof.model.drill import StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.steps.outputs import one_line
from fireproof.steps.playbook import Playbook, PlaybookParams


class RefusedParams(StepParams):
    """``{refused: playbooks/attempt-restore.yml, vars: {…}, because: backup-intact}``.

    ``because`` is the name of the check that must be the one to notice; of a playbook that hands
    back no red check, words that its reason must hold.
    """

    refused: str
    vars: Mapping[str, str] = {}
    because: str = Field(min_length=3)

    def procedures(self) -> tuple[str, ...]:
        return (self.refused,)


class Refused:
    """Succeeds when the playbook fails for the right reason.

    Accepted is a failure: the check is blind. Refused for another reason shows nothing about the
    check and is unknown.
    """

    kind = "refused"
    params: type[StepParams] = RefusedParams

    def run(self, params: RefusedParams, context: StepContext) -> StepResult:
        playbook = PlaybookParams.model_validate(
            {"playbook": params.refused, "vars": params.vars}
        ).model_copy(update={"timeout": params.timeout})
        seen = Playbook().run(playbook, context)
        ok, observed = judge_refusal(params.because, seen)
        name = params.title or f"{Path(params.refused).stem}:{params.because}"
        check = Check(f"refused:{name}", ok, f"refused because of {params.because}", observed)
        return StepResult(ok, one_line(observed), (check,), seen.saved, seen.files)


def judge_refusal(because: str, seen: StepResult) -> tuple[bool | None, str]:
    """Whether that result is a refusal for this reason, and what it was in words.

    The playbook's own red checks are what was wanted here, so they are told in words and do not
    become checks of the run.
    """
    if seen.ok is True:
        return False, f"accepted: {seen.detail}"
    if seen.ok is None:
        return None, f"could not be told: {seen.detail}"
    red = [check for check in seen.checks if check.ok is False]
    named = [check for check in red if check.name == because]
    if named:
        return True, f"refused: {because}: {named[0].observed}"
    if not red and because in seen.detail:
        return True, f"refused: {seen.detail}"
    return None, f"refused, but not because of {because}: {seen.detail}"
