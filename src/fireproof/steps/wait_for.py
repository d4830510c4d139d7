"""``wait-for``: ask until the answer is the expected one, or time is up."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from fireproof.errors import StepError
from fireproof.model.drill import Name, StepParams, Strict
from fireproof.model.ports import StepContext, StepResult
from fireproof.model.quantity import Duration
from fireproof.steps.ask import ask
from fireproof.steps.http_request import expected_answer, seen_answer
from fireproof.steps.outputs import fill, one_line
from fireproof.steps.sql import dsn_of


class SqlLook(Strict):
    """``{sql: QUERY, on: COMPONENT, expect: TEXT}``."""

    sql: str
    on: Name
    expect: str


class HttpLook(Strict):
    """``{http: URL, status: 200, contains: TEXT}``."""

    http: str
    status: int = Field(default=200, ge=100, le=599)
    contains: str | None = None


def _which(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", ())
    return "sql" if "sql" in keys else "http"


Look = Annotated[
    Annotated[SqlLook, Tag("sql")] | Annotated[HttpLook, Tag("http")], Discriminator(_which)
]


class WaitForParams(StepParams):
    """``{wait-for: {http: URL, status: 200}, every: 200ms, timeout: 1m}``."""

    wait_for: Look = Field(alias="wait-for")
    every: Duration = 200 * 10**6


class WaitFor:
    """Polls with a fresh connection each time; says what it last saw when time is up."""

    kind = "wait-for"
    params: type[StepParams] = WaitForParams

    def run(self, params: WaitForParams, context: StepContext) -> StepResult:
        look = params.wait_for
        request: dict[str, Any] = {"what": "wait", "every_ns": params.every}
        if isinstance(look, SqlLook):
            request |= {"dsn": dsn_of(look.on, context), "query": fill(look.sql, context)}
            request["expect"] = fill(look.expect, context)
            told = ask("fireproof.steps.database", request, context)
            wanted = f"{request['expect']!r} from {look.on}"
            seen = told.get("error") or told.get("seen") or "no answer yet"
        else:
            contains = None if look.contains is None else fill(look.contains, context)
            request |= {"url": fill(look.http, context), "status": look.status}
            request["contains"] = contains
            told = ask("fireproof.steps.web", request, context)
            if wrong := told.get("wrong"):
                raise StepError(f"cannot ask {wrong}")
            wanted = f"{expected_answer(look.status, contains)} from {request['url']}"
            seen = seen_answer(told)
        if told.get("met"):
            return StepResult(True, one_line(f"saw {wanted}"), saved=told.get("value"))
        return StepResult(False, one_line(f"waited in vain for {wanted}; last seen: {seen}"))
