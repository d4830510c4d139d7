"""Who may start what, where and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from fireproof.engine.permission import refusals, typed_wrong
from fireproof.model.environment import Environment, Freeze
from fireproof.model.plan import Plan
from support.records import make_plan

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)


def _plan(**place: Any) -> Plan:
    plan = make_plan()
    body: dict[str, Any] = {"environment": "shop", "class": "other"} | place
    body["components"] = {name: {"kind": "http"} for name in plan.drill.components}
    return plan.model_copy(update={"environment": Environment.model_validate(body)})


def test_another_environment_asks_for_nothing() -> None:
    """A staging system is drilled every day."""
    assert refusals(_plan(), confirmed=(), now=NOW) == []
    assert typed_wrong(_plan(), "", lambda _: None) == ""


@pytest.mark.parametrize("place", [{"class": "production"}, {"confirm": True}])
def test_every_drilled_component_is_named_again(place: dict[str, Any]) -> None:
    """A shell's history is full of commands that were right last week."""
    plan = _plan(**place)
    drilled = plan.drill.components

    (said,) = refusals(plan, confirmed=(), now=NOW)
    assert said.endswith(": name what will be broken: --confirm " + " --confirm ".join(drilled))
    assert refusals(plan, confirmed=drilled, now=NOW) == []
    (said,) = refusals(plan, confirmed=(*drilled, "other"), now=NOW)
    assert said.startswith("--confirm other: the drill has no such component")


def test_production_is_typed_by_its_name() -> None:
    """The name is what people mistake: prod-eu is not prod-us."""
    plan = _plan(**{"class": "production"})

    assert typed_wrong(plan, "shop", lambda _: pytest.fail("asked")) == ""
    assert not typed_wrong(plan, "", lambda prompt: "shop" if "shop is prod" in prompt else "")
    assert typed_wrong(plan, "", lambda _: " shop\n") == ""
    assert typed_wrong(plan, "", lambda _: "yes") == (
        "typed 'yes', expected 'shop', the environment's name"
    )
    assert typed_wrong(plan, "", lambda _: None).endswith("say --typed shop")


@pytest.mark.parametrize(
    ("begins", "ends", "frozen"),
    [
        ("2026-12-20", "2027-01-02", True),
        ("2026-12-24T12:00Z", "2026-12-25", True),
        ("2026-12-20", "2026-12-24T12:00Z", False),
        ("2026-12-20", "2026-12-24T12:00+01:00", False),
        ("2026-12-20", "2026-12-24T12:00:01-00:00", True),
    ],
)
def test_nothing_starts_inside_a_freeze_window(begins: str, ends: str, frozen: bool) -> None:
    """The end is the first moment at which drills may start again."""
    window = {"from": begins, "until": ends, "because": "year end"}

    said = refusals(_plan(freeze=[window]), confirmed=(), now=NOW)

    assert bool(said) is frozen
    assert all("year end; nothing starts before then" in line for line in said)


@pytest.mark.parametrize(
    "window",
    [
        {"from": "2026-12-20", "until": "2026-12-20"},
        {"from": "2026-12-21", "until": "2026-12-20"},
        {"from": "2026-13-01", "until": "2027-01-01"},
        {"from": "2026-12-20T18:00", "until": "2027-01-01"},
        {"from": "friday", "until": "monday"},
    ],
)
def test_a_window_that_is_none_is_refused(window: dict[str, str]) -> None:
    """A freeze that never holds protects nobody."""
    with pytest.raises(ValidationError):
        Freeze.model_validate(window)
