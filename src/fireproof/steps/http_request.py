"""``http``: one request; its answer is checked and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from fireproof.errors import StepError
from fireproof.model.drill import StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.steps.ask import ask
from fireproof.steps.outputs import collect, fill, one_line, outputs_folder, saved_text


class HttpParams(StepParams):
    """``{http: URL, method: POST, json: {...}, status: 200, contains: TEXT}``."""

    http: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    status: int = Field(default=200, ge=100, le=599)
    contains: str | None = None
    body: Any = Field(default=None, alias="json")
    headers: Mapping[str, str] = {}


def fill_all(value: Any, context: StepContext) -> Any:
    """The same value with every text in it filled."""
    if isinstance(value, str):
        return fill(value, context)
    if isinstance(value, Mapping):
        return {key: fill_all(item, context) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill_all(item, context) for item in value]
    return value


def expected_answer(status: int, contains: str | None) -> str:
    return f"status {status}" + ("" if contains is None else f" and {contains!r} in the body")


def seen_answer(told: Mapping[str, Any]) -> str:
    """What came, in words."""
    if "status" not in told:
        late = "no answer in time" if "late" in told else "no answer yet"
        return one_line(told.get("error") or late)
    missing = " without the text" if told.get("found") is False else ""
    return f"status {told['status']}{missing}"


class HttpRequest:
    """Sends one request, follows no redirect, and keeps the body in the outputs."""

    kind = "http"
    params: type[StepParams] = HttpParams

    def run(self, params: HttpParams, context: StepContext) -> StepResult:
        body = outputs_folder(context) / "body"
        contains = None if params.contains is None else fill(params.contains, context)
        request = {
            "what": "once",
            "url": fill(params.http, context),
            "method": params.method,
            "headers": fill_all(params.headers, context),
            "json": fill_all(params.body, context),
            "status": params.status,
            "contains": contains,
            "body_to": str(body.absolute()),
        }
        told = ask("fireproof.steps.web", request, context)
        if wrong := told.get("wrong"):
            raise StepError(f"cannot ask {wrong}")
        answered = "status" in told
        seen = seen_answer(told)
        ok = bool(told.get("met")) if answered else False
        check = Check(
            name=params.title or one_line(f"http {params.http}", 120),
            ok=ok if answered else None,  # nobody answered: nothing is known about the content
            expected=one_line(expected_answer(params.status, contains)),
            observed=seen,
        )
        saved = saved_text(body) if answered else None
        files, _ = collect(context)
        return StepResult(ok, f"{params.method} {request['url']}: {seen}", (check,), saved, files)
