"""What the service reads from its environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proving_ground.ledger.settings import Settings, load_settings, variable

DSN = "host=127.0.0.1 passfile=/nowhere"
SERVICE = Path(__file__).parents[3] / "src/proving_ground/ledger"


def problems(**environ: str) -> list[str]:
    found = load_settings(environ)
    return found if isinstance(found, list) else []


def test_a_development_ledger_needs_a_database_and_nothing_else() -> None:
    """The old drills start it with one variable."""
    found = load_settings({"LEDGER_DSN": DSN, "HOME": "/root"})

    assert isinstance(found, Settings)
    assert (found.profile, found.dsn) == ("development", DSN)


def test_every_problem_is_told_at_once() -> None:
    """Whoever repairs a deployment at night should start the service once, not four times."""
    found = problems(LEDGER_PROFILE="prod", LEDGER_LOG_LEVEL="loud", LEDGER_DSM="x")

    assert [line.partition(":")[0] for line in found] == [
        "LEDGER_PROFILE",
        "LEDGER_LOG_LEVEL",
        "LEDGER_DSM",
        "LEDGER_DSN",
    ]
    assert "did you mean LEDGER_DSN?" in found[2]


def test_the_rules_of_production_are_told_beside_a_misspelt_name() -> None:
    """A first mistake must not hide a second, more dangerous one."""
    found = problems(LEDGER_PROFILE="production", LEDGER_DSN="password=hush", LEDGER_X="1")

    assert len(found) >= 2
    assert any("holds a password" in line for line in found)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_wrong_value_is_never_repeated(name: str) -> None:
    """It may be the password that was put into the wrong variable."""
    found = problems(**{"LEDGER_DSN": "", variable(name): "s3cret\n\0"})

    assert not any("s3cret" in line for line in found)


def test_every_setting_is_described_and_no_other_variable_is_read() -> None:
    """An operator finds each variable in one table; a hidden one is a finding."""
    assert all(field.description for field in Settings.model_fields.values())
    for path in sorted(SERVICE.rglob("*.py")):
        if path.name != "settings.py":
            assert not re.search(r"os\.environ|getenv", path.read_text("utf-8")), path
