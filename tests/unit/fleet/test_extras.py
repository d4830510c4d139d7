from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fireproof.cli.schedule_command import scheduled
from fireproof.fleet import needed_extras
from fireproof.model.drill import Drill
from fireproof.model.environment import Environment

ROOT = Path(__file__).parents[3]
PLAIN = {
    "drill": "tiny",
    "title": "Tiny",
    "owner": "platform-team",
    "kind": "component",
    "cadence": "P7D",
    "components": ["store"],
    "hypothesis": "It is back.",
    "objectives": {"recovery-time": {"rto": "10s", "from": "api", "hold": "300ms"}},
}


def drill(more: dict[str, object] | None = None) -> Drill:
    return Drill.model_validate(PLAIN | (more or {}))


def place(more: dict[str, str] | None = None) -> Environment:
    store = {"kind": "postgres"} | (more or {})
    return Environment.model_validate(
        {"environment": "desk", "class": "other", "components": {"store": store}}
    )


@pytest.mark.parametrize(
    ("more", "where", "wanted"),
    [
        ({}, None, ("run", "lab")),
        ({}, {}, ("run",)),
        ({"params": {"tool": "barman-cloud"}}, {}, ("run", "barman")),
        ({}, {"dsn": "aws-sm:prod/store#dsn"}, ("run", "aws")),
    ],
)
def test_a_drill_needs_what_it_names(
    more: dict[str, object], where: dict[str, str] | None, wanted: tuple[str, ...]
) -> None:
    """A fresh machine would refuse it."""
    found = needed_extras(
        [drill(more)], place(where) if where is not None else None, lab=where is None
    )

    assert found == wanted


def test_a_day_with_loads_needs_them_and_every_extra_is_one_that_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that pip does not know is a warning there, and a missing library here."""
    monkeypatch.chdir(ROOT)
    (quarterly,) = scheduled((Path("drills/gamedays/quarterly.yaml"),), "lab")
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert quarterly.extras == ("run", "lab", "load")
    assert {*quarterly.extras, "aws", "barman"} <= {*package["optional-dependencies"]}
