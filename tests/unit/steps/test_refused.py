"""A control experiment is passed only by a refusal for the reason that was named beforehand."""

from __future__ import annotations

import pytest

from fireproof.model.ports import Check, StepResult
from fireproof.steps.refused import judge_refusal

INTACT = Check("backup-intact", False, "as recorded", "base.tar.0000 differs")
REACHED = Check("target-reached", True, "stops there", "stopped there")


@pytest.mark.parametrize(
    ("seen", "ok", "says"),
    [
        (StepResult(False, "stopped", (INTACT,)), True, "base.tar.0000 differs"),
        (StepResult(False, "no room: backup-intact: damaged"), True, "refused: no room"),
        (StepResult(True, "done", (REACHED,)), False, "accepted"),
        (StepResult(None, "no task ran on any host"), None, "could not be told"),
        (StepResult(False, "the disk is full"), None, "not because of backup-intact"),
        (StepResult(False, "did not end within 2m; killed"), None, "did not end"),
        # Another check noticed: this one may be blind.
        (
            StepResult(False, "backup-intact", (Check("other", False, "a", "b"),)),
            None,
            "not because",
        ),
        # The named check held, and something else went wrong.
        (
            StepResult(False, "boom", (Check("backup-intact", True, "a", "a"),)),
            None,
            "not because",
        ),
    ],
)
def test_only_the_named_reason_is_a_refusal(seen: StepResult, ok: bool | None, says: str) -> None:
    """A control that fails for want of disk space says nothing about the check it stands for."""
    judged, observed = judge_refusal("backup-intact", seen)

    assert judged is ok
    assert says in observed
