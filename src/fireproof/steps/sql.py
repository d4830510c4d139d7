"""``sql``: one query; its single value is what the step saves."""

from __future__ import annotations

from fireproof.errors import StepError
from fireproof.model.drill import Name, StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.steps.ask import ask
from fireproof.steps.outputs import MAX_SAVED_BYTES, fill, one_line


class SqlParams(StepParams):
    """``{sql: QUERY, on: COMPONENT, expect: TEXT}``."""

    sql: str
    on: Name
    expect: str | None = None


def dsn_of(name: str, context: StepContext) -> str:
    """How to reach the component's database."""
    component = context.environment.components.get(name)
    if component is None or not (dsn := component.get("dsn")):
        place = context.environment.environment
        raise StepError(f"environment {place!r} has no component {name!r} with a `dsn`")
    return fill(dsn, context)


class Sql:
    """Runs a query on a component's database, each with a fresh connection."""

    kind = "sql"
    params: type[StepParams] = SqlParams

    def run(self, params: SqlParams, context: StepContext) -> StepResult:
        query = fill(params.sql, context)
        request = {"what": "value", "dsn": dsn_of(params.on, context), "query": query}
        told = ask("fireproof.steps.database", request, context)
        error = "no answer in time" if "late" in told else told.get("error")
        seen = one_line(error or told["seen"])
        value = told.get("value")
        checks: tuple[Check, ...] = ()
        ok: bool | None = error is None
        if params.expect is not None:
            expected = fill(params.expect, context)
            # Nobody answered: nothing is known about the content. An answer that is an error is
            # an answer.
            holds = None if error and not told.get("asked") else value == expected
            name = params.title or one_line(f"sql {params.sql}", 120)
            checks = (Check(name, holds, one_line(repr(expected)), seen),)
            ok = bool(holds)
        too_big = value is not None and len(value.encode()) > MAX_SAVED_BYTES
        saved = None if too_big or error else value
        if ok and params.save and saved is None:
            return StepResult(False, f"expected one value to save, got {seen}", checks)
        return StepResult(ok, f"{params.on}: {seen}", checks, saved)
