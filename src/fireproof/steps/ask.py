"""A step's question to a child process; see ``fireproof.children.ask``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fireproof.children.ask import ask as ask_child
from fireproof.model.ports import StepContext


def ask(
    module: str,
    request: Mapping[str, Any],
    context: StepContext,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the child module told last, within the step's time."""
    deadline_ns, beat = context.deadline_ns, context.beat
    return ask_child(module, request, deadline_ns=deadline_ns, beat=beat, env=env)
