"""A playbook against a lab, through Ansible, as a drill plays it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fireproof.model.environment import Environment
from fireproof.model.ports import StepContext, StepResult
from fireproof.steps.playbook import Playbook, PlaybookParams

PROJECT = Path(__file__).parents[2]


def play(environment: Mapping[str, Any], bag: Path, name: str, **variables: str) -> StepResult:
    """One of ``playbooks/``, on the components of that environment."""
    run = str(uuid.uuid4())
    context = StepContext(
        run=run,
        project=PROJECT,
        environment=Environment.model_validate(environment),
        bag=bag / run,
        outputs="data/outputs/step",
        deadline_ns=time.monotonic_ns() + 120 * 10**9,
    )
    (bag / run).mkdir()
    params = PlaybookParams.model_validate({"playbook": f"playbooks/{name}", "vars": variables})
    return Playbook().run(params, context)
