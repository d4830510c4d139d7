"""Parameters as a drill's author writes them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from fireproof.faults import load_faults
from fireproof.steps import load_steps

GOOD: list[dict[str, Any]] = [
    {"playbook": "restore.yml", "vars": {"a": "b"}, "timeout": "5m"},
    {"pytest": "tests/restored"},
    {"refused": "restore.yml", "vars": {"a": "b"}, "because": "backup-intact", "timeout": "5m"},
    {"http": "{api.url}/x", "method": "POST", "json": {"a": [1, "{api.url}"]}, "contains": "ok"},
    {"sql": "SELECT 1", "on": "ledger-db", "expect": "1", "save": "one"},
    {"process": ["true"], "expect-exit": 3, "env": {"A": "b"}},
    {"wait-for": {"sql": "SELECT 1", "on": "db", "expect": "1"}, "every": "200ms"},
    {"wait-for": {"http": "{api.url}/readyz", "status": 200}, "title": "back"},
    {"digest": "before", "on": "db", "queries": {"accounts": "SELECT 1"}},
    {"same-digest": ["before", "after"]},
    {"check": "disk-free", "at-least": "2GiB"},
    {"kill": "ledger-db", "signal": "TERM", "expires": "1m"},
    {"pause": "ledger-db"},
    {"lose-data-directory": "ledger-db", "expires": "10m"},
    {"corrupt-file": "ledger-db", "file": "base/1/2", "places": 3, "seed": 7, "length": 2},
    {"latency": "link", "delay": "200ms", "jitter": "10ms"},
    {"stall": "link", "direction": "up"},
    {"black-hole": "link"},
    {"throttle": "link", "rate": "64kB"},
    {"reset": "link", "after": "1s"},
    {"playbook": "b.yml", "undo": "m.yml", "present": "l.yml", "component": "db", "vars": {}},
]
STEPS: dict[str, Any] = dict(load_steps())
FAULTS: dict[str, Any] = dict(load_faults())


@pytest.mark.parametrize("text", GOOD, ids=lambda text: "-".join(text))
def test_parameters_survive_the_plan(text: dict[str, Any]) -> None:
    """A plan is stored as JSON and read back; what runs must be what was approved."""
    kind = next(iter(text))
    known = FAULTS if kind not in STEPS or "undo" in text else STEPS
    params = known[kind].params.model_validate(text)

    again = type(params).model_validate(params.model_dump(mode="json", by_alias=True))

    assert again == params


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"check": "disk-fre", "at-least": "2GiB"}, "disk-free"),
        ({"check": "disk-free", "at-least": 5}, "2GiB"),
        ({"same-digest": ["a", "a"]}, "twice"),
        ({"same-digest": ["a"]}, "same-digest"),
        ({"process": []}, "process"),
        ({"process": "rm -rf"}, "process"),
        ({"wait-for": {"sql": "SELECT 1", "on": "db"}}, "expect"),
        ({"digest": "a", "on": "db", "queries": {}}, "queries"),
        ({"http": "x", "status": 999}, "status"),
        ({"http": "x", "stauts": 200}, "stauts"),
        ({"kill": "db", "signal": "STOP"}, "signal"),
        ({"sql": "SELECT 1"}, "on"),
        ({"corrupt-file": "db", "file": "x", "at": 5, "places": 2}, "one place"),
        ({"throttle": "link", "rate": "10B"}, "at least 1kB"),
        ({"refused": "restore.yml"}, "because"),
        ({"refused": "restore.yml", "because": ""}, "because"),
    ],
)
def test_a_wrong_parameter_is_named(text: dict[str, Any], says: str) -> None:
    """Nothing runs on a guess at what the author meant."""
    with pytest.raises(ValidationError) as caught:
        (FAULTS | STEPS)[next(iter(text))].params.model_validate(text)

    assert says in str(caught.value)


def test_a_digest_is_saved_under_its_own_name() -> None:
    """Otherwise ``same-digest: [before, after]`` would have nothing to compare."""
    text = {"digest": "before", "on": "db", "queries": {"a": "SELECT 1"}}

    assert STEPS["digest"].params.model_validate(text).save == "before"
    assert STEPS["digest"].params.model_validate(text | {"save": "x"}).save == "x"


def test_every_kind_answers_to_its_own_name() -> None:
    """The registry is what entry points will look like; a wrong row would run another step."""
    for known in (STEPS, FAULTS):
        assert {kind: one.kind for kind, one in known.items()} == {kind: kind for kind in known}
