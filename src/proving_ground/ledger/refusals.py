"""Errors as answers: JSON, and a status that says whose move it is."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proving_ground.ledger.roles import Forbidden
from proving_ground.ledger.store import Conflicting, Unavailable


async def refused(_: Request, err: Exception) -> Response:
    if not isinstance(err, HTTPException):
        raise err
    return JSONResponse({"error": err.detail}, err.status_code, headers=err.headers)


async def unavailable(_: Request, err: Exception) -> Response:
    code = err.code if isinstance(err, Unavailable) else "unavailable"
    body = {"error": str(err), "code": code}
    return JSONResponse(body, 503, headers={"retry-after": "1"})


async def conflicting(_: Request, err: Exception) -> Response:
    return JSONResponse({"error": str(err)}, 409)


async def forbidden(_: Request, err: Exception) -> Response:
    """The gate refuses first; this is what storage refused on its own."""
    if not isinstance(err, Forbidden):
        raise err
    return JSONResponse({"error": str(err), "reason": err.reason}, 403)


HANDLERS = {
    HTTPException: refused,
    Unavailable: unavailable,
    Conflicting: conflicting,
    Forbidden: forbidden,
}
