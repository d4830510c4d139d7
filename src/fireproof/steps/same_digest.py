"""``same-digest``: two digests taken earlier say the same, label by label."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import Field, field_validator

from fireproof.model.drill import Name, StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.steps.outputs import worst

_SHA = re.compile(r"[0-9a-f]{64}")


class SameDigestParams(StepParams):
    """``{same-digest: [before, after]}``."""

    same_digest: tuple[Name, Name] = Field(alias="same-digest")

    @field_validator("same_digest")
    @classmethod
    def _two_names(cls, names: tuple[str, str]) -> tuple[str, str]:
        if names[0] == names[1]:
            raise ValueError(f"expected two digests, got {names[0]!r} twice")
        return names


def _read(text: str | None) -> dict[str, dict[str, Any]] | None:
    """The digests in a saved text, or None when it does not hold any."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    if not isinstance(found, dict) or not found:
        return None
    for one in found.values():
        good = isinstance(one, dict) and set(one) == {"sha256", "rows"}
        if not good or not isinstance(one["rows"], int) or isinstance(one["rows"], bool):
            return None
        if not isinstance(one["sha256"], str) or not _SHA.fullmatch(one["sha256"]):
            return None
    return found


def _shown(one: dict[str, Any] | None) -> str:
    return "missing" if one is None else f"{one['sha256'][:16]}, {one['rows']} rows"


class SameDigest:
    """Compares what two ``digest`` steps saved."""

    kind = "same-digest"
    params: type[StepParams] = SameDigestParams

    def run(self, params: SameDigestParams, context: StepContext) -> StepResult:
        first, second = params.same_digest
        both = [_read(context.saved.get(name)) for name in (first, second)]
        for name, found in zip((first, second), both, strict=True):
            if found is None:
                seen = "no digest was saved under this name"
                if name in context.saved:
                    seen = "what was saved under this name is not a digest"
                check = Check("same-digest", None, f"digest {name!r}", seen)
                return StepResult(None, f"{name!r}: {seen}", (check,))
        expected, observed = (found or {} for found in both)
        checks = []
        for label in sorted(expected.keys() | observed.keys()):
            want, got = expected.get(label), observed.get(label)
            same = want is not None and want == got
            checks.append(Check(f"same-digest:{label}", same, _shown(want), _shown(got)))
        different = [check.name.partition(":")[2] for check in checks if not check.ok]
        detail = f"{first} and {second} are the same: {len(checks)} labels"
        if different:
            detail = f"{first} and {second} differ in {', '.join(different)}"
        return StepResult(worst(check.ok for check in checks), detail, tuple(checks))
