"""Whether a plan may start now: what its environment asks for before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from fireproof.engine.planning import uses
from fireproof.model.drill import Drill
from fireproof.model.plan import Plan


def refusals(plan: Plan, *, confirmed: Collection[str], now: datetime) -> list[str]:
    """Everything that keeps the plan from starting, but for the typed name; empty when nothing."""
    place = plan.environment
    where = f"environment {place.environment!r}"
    found = []
    for window in place.freeze:
        if window.holds(now):
            because = f": {window.because}" if window.because else ""
            found.append(
                f"{where} is frozen from {window.from_} until {window.until}{because}; "
                "nothing starts before then"
            )
    missing = [name for name in plan.drill.components if name not in confirmed]
    if missing and must_confirm(plan):
        why = "is of class production" if place.environment_class == "production" else "asks for it"
        options = " ".join(f"--confirm {name}" for name in missing)
        found.append(f"{where} {why}: name what will be broken: {options}")
    strangers = sorted(set(confirmed) - set(plan.drill.components))
    if strangers and must_confirm(plan):
        drilled = ", ".join(plan.drill.components)
        found.append(
            f"--confirm {strangers[0]}: the drill has no such component; it drills {drilled}"
        )
    return found


def must_confirm(plan: Plan) -> bool:
    """Whether each drilled component is to be named again."""
    return plan.environment.confirm or plan.environment.environment_class == "production"


def unattended(drill: Drill, *, somebody_is_here: bool) -> list[str]:
    """Manual steps that nobody could acknowledge; a run would fail there, with the fault standing.

    Args:
        drill: what would run.
        somebody_is_here: whether the run could ask at a terminal.
    """
    return [
        f"{use.label()}: there is no terminal to acknowledge it at, and it names no file; "
        "add `acknowledge: PATH`, or run it at a terminal"
        for use in uses(drill)
        if use.kind == "manual" and not use.params.get("acknowledge") and not somebody_is_here
    ]


def typed_wrong(plan: Plan, typed: str, ask: Callable[[str], str | None]) -> str:
    """Why production was not named as it must be; empty when it was.

    Args:
        plan: what would run.
        typed: the name as given on the command line; empty to ask.
        ask: shows a prompt on the terminal; None when there is no terminal, or nobody answered.
    """
    name = plan.environment.environment
    if plan.environment.environment_class != "production":
        return ""
    answer = typed or ask(
        f"{name} is production. {plan.drill.drill} will break "
        f"{', '.join(plan.drill.components)} there. Type its name to go on: "
    )
    if answer is None:
        return (
            f"environment {name!r} is of class production, and there is no terminal to type its "
            f"name at; say --typed {name}"
        )
    if answer.strip() != name:
        return f"typed {answer.strip()!r}, expected {name!r}, the environment's name"
    return ""
