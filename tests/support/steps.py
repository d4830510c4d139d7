"""Run one step or one fault as the engine would: validated parameters, a context, a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fireproof.model.environment import Environment
from fireproof.model.ports import StepContext, StepResult
from fireproof.processes import descendants, identify
from fireproof.steps import load_steps

RUN = "0197a5e0-0000-7000-8000-000000000001"


def step_context(
    project: Path,
    components: Mapping[str, Any] | None = None,
    *,
    timeout_s: float = 30.0,
    saved: Mapping[str, str] | None = None,
    beats: list[int] | None = None,
) -> StepContext:
    """A context whose bag stands in the project's folder ``bag``."""
    place = {
        "environment": "lab",
        "class": "embedded",
        "components": components or {"api": {"kind": "http", "url": "http://127.0.0.1:9"}},
    }
    beat = (lambda: beats.append(time.monotonic_ns())) if beats is not None else (lambda: None)
    return StepContext(
        run=RUN,
        project=project,
        environment=Environment.model_validate(place),
        bag=project / "bag",
        outputs="data/outputs/verify-00-step",
        deadline_ns=time.monotonic_ns() + int(timeout_s * 1e9),
        saved=saved or {},
        beat=beat,
    )


def left_running(before: Collection[int]) -> list[int]:
    """Descendants of this process that run and were not there before; zombies run no more."""
    return [pid for pid in descendants(os.getpid()) if pid not in before and identify(pid)]


def run_step(params: Mapping[str, Any], context: StepContext) -> StepResult:
    """Run the step that the first key names, after the same validation as a drill file gets."""
    kind = next(iter(params))
    step = load_steps([kind])[kind]
    return step.run(step.params.model_validate(dict(params)), context)
