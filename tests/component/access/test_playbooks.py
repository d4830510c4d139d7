"""The rotations through Ansible, as a drill plays them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fireproof.model.ports import StepResult
from support.playing import play

pytestmark = [pytest.mark.component, pytest.mark.full]


def play_here(components: dict[str, Any], bag: Path, name: str, **variables: str) -> StepResult:
    environment = {"environment": "lab", "class": "embedded", "components": components}
    return play(environment, bag, name, **variables)


@pytest.mark.parametrize(
    ("name", "variables", "checks"),
    [
        ("rotate-keys.yml", {"verb": "publish", "algorithm": "ES256"}, {"key-published"}),
        ("rotate-keys.yml", {"verb": "sign-with-new"}, {"new-key-signs"}),
        ("rotate-keys.yml", {"verb": "retire"}, {"key-retired"}),
        ("rotate-keys.yml", {}, {"key-published", "new-key-signs", "key-retired"}),
        (
            "rotate-certificate.yml",
            {"valid_for_s": "3600"},
            {"certificate-new", "certificate-served:https", "certificate-served:mtls"},
        ),
        (
            "rotate-database-password.yml",
            {},
            {"both-may-log-in", "sessions-moved", "old-is-refused"},
        ),
        ("rotate-shared-secret.yml", {"verb": "add"}, {"secrets-in-file"}),
        ("rotate-shared-secret.yml", {"verb": "drop"}, {"secrets-in-file"}),
    ],
)
def test_a_rotation_can_be_played(
    components: dict[str, Any],
    tmp_path: Path,
    name: str,
    variables: dict[str, str],
    checks: set[str],
) -> None:
    """What a drill names must exist, and say what it saw."""
    result = play_here(components, tmp_path, name, **variables)

    assert result.ok, result.detail
    assert {check.name for check in result.checks if check.ok} == checks


def test_a_verb_that_is_not_known_stops_with_the_known_ones(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """One line, not a task's return value."""
    result = play_here(components, tmp_path, "rotate-keys.yml", verb="rotate")

    assert result.ok is False
    assert "verb: expected publish, sign-with-new, retire or all, got 'rotate'" in result.detail
