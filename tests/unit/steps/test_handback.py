"""What a playbook hands back is believed only when every part of it is as it should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fireproof.model.ports import Check
from fireproof.steps.handback import parse_checks, read_handback

GOOD = {"name": "rows", "ok": True, "expected": "3", "observed": "3"}


def test_whole_checks_are_read(tmp_path: Path) -> None:
    """The playbook's own findings reach the judge word for word."""
    (tmp_path / "checks.json").write_text(json.dumps([GOOD, GOOD | {"name": "b", "ok": None}]))
    (tmp_path / "saved").write_text("0/30000D8\n")

    back = read_handback(tmp_path)

    assert back.checks == (Check("rows", True, "3", "3"), Check("b", None, "3", "3"))
    assert back.saved == "0/30000D8"
    assert not back.problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        json.dumps([GOOD | {"ok": "yes"}]),
        json.dumps([GOOD | {"ok": 1}]),
        json.dumps([GOOD | {"observed": 3}]),
        json.dumps([GOOD | {"extra": ""}]),
        json.dumps([GOOD | {"name": " "}]),
        json.dumps([GOOD, GOOD]),
        '[{"name":"a","ok":false,"ok":true,"expected":"","observed":""}]',
        "[" * 100_000,
    ],
)
def test_anything_but_whole_checks_is_a_problem(tmp_path: Path, text: str) -> None:
    """A green that came from a malformed file would mislead the auditor."""
    (tmp_path / "checks.json").write_text(text)

    back = read_handback(tmp_path)

    assert back.checks == ()
    assert "checks.json" in back.problem


def test_a_link_is_not_a_report(tmp_path: Path) -> None:
    """Evidence that points elsewhere can change after it was sealed."""
    (tmp_path / "elsewhere").write_text(json.dumps([GOOD]))
    (tmp_path / "checks.json").symlink_to("elsewhere")

    assert "plain file" in read_handback(tmp_path).problem


def test_a_saved_value_that_is_not_text_is_a_problem(tmp_path: Path) -> None:
    """A later step would compare with something nobody wrote."""
    (tmp_path / "saved").write_bytes(b"\xff\xfe")

    assert "saved" in read_handback(tmp_path).problem


def test_parse_checks_of_an_empty_list_is_empty() -> None:
    """No checks is not an error; it just shows nothing."""
    assert parse_checks(b"[]") == ()
