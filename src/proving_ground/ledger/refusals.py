"""Errors as answers: JSON, and a status that says whose move it is."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proving_ground.ledger.store import Unavailable


async def refused(_: Request, err: Exception) -> Response:
    if not isinstance(err, HTTPException):
        raise err
    return JSONResponse({"error": err.detail}, err.status_code, headers=err.headers)


async def unavailable(_: Request, err: Exception) -> Response:
    code = err.code if isinstance(err, Unavailable) else "unavailable"
    body = {"error": str(err), "code": code}
    return JSONResponse(body, 503, headers={"retry-after": "1"})


HANDLERS = {HTTPException: refused, Unavailable: unavailable}
