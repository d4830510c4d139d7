"""Two digests are the same only when every label is there and equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.steps import run_step, step_context

ONE = {"sha256": "a" * 64, "rows": 3}
TWO = {"sha256": "b" * 64, "rows": 3}


def digests(**labels: object) -> str:
    return json.dumps(labels)


@pytest.mark.parametrize(
    ("before", "after", "ok"),
    [
        (digests(t=ONE), digests(t=ONE), True),
        (digests(t=ONE), digests(t=TWO), False),
        (digests(t=ONE), digests(t=ONE | {"rows": 4}), False),
        (digests(t=ONE, u=ONE), digests(t=ONE), False),
        (digests(t=ONE), digests(t=ONE, u=ONE), False),
        (digests(), digests(), None),
        (digests(t=ONE), "not json", None),
        (digests(t=ONE), digests(t={"sha256": "a", "rows": 3}), None),
        (digests(t=ONE), digests(t=ONE | {"rows": True}), None),
        (digests(t=ONE), None, None),
    ],
)
def test_only_equal_digests_are_the_same(
    tmp_path: Path, before: str, after: str | None, ok: bool | None
) -> None:
    """A restored database with one row changed must not pass for the old one."""
    saved = {"before": before} | ({} if after is None else {"after": after})

    result = run_step({"same-digest": ["before", "after"]}, step_context(tmp_path, saved=saved))

    assert result.ok is ok
    assert [check for check in result.checks if check.ok is ok]
