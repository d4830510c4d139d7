"""Named checks look at the real machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.steps import run_step, step_context


@pytest.mark.parametrize(
    ("at_least", "path", "ok"),
    [("1B", ".", True), ("999999999GiB", ".", False), ("1B", "no", None)],
)
def test_free_space_is_enough_or_not_or_unknown(
    tmp_path: Path, at_least: str, path: str, ok: bool | None
) -> None:
    """A drill that fills the disk halfway leaves a mess; a path nobody has tells nothing."""
    text = {"check": "disk-free", "at-least": at_least, "path": path}

    result = run_step(text, step_context(tmp_path))

    assert result.ok is ok
    assert result.checks[0].name == "disk-free"
