"""What a request may say: a tenant, an event, a number; else it is refused with the reason."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY_CHARS_MAX = 200
_BODY_BYTES_MAX = 65536
_REQUEST_BYTES_MAX = 8 * _BODY_BYTES_MAX  # JSON may escape each character
_SEQ_MAX = 2**63 - 1


def tenant_of(request: Request) -> str:
    tenant = str(request.path_params["tenant"])
    if not _TENANT.fullmatch(tenant):
        raise HTTPException(422, "tenant: expected up to 63 of a-z, 0-9 and -")
    return tenant


def seq_of(request: Request) -> int:
    text = str(request.path_params["seq"])
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= _SEQ_MAX:
        raise HTTPException(422, f"seq: expected a positive number, got {text!r}")
    return int(text)


async def content_of(request: Request) -> Any:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _REQUEST_BYTES_MAX:
            raise HTTPException(413, f"expected at most {_REQUEST_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise HTTPException(400, "expected a JSON object") from err


def parse_event(content: Any) -> tuple[str, str]:
    """Key and body, or a refusal that says what is wrong."""
    if not isinstance(content, dict) or set(content) != {"key", "body"}:
        raise HTTPException(422, "expected an object with exactly 'key' and 'body'")
    for name, value in content.items():
        if not isinstance(value, str):
            raise HTTPException(422, f"{name}: expected a text")
        # Postgres stores neither; both are legal in JSON.
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise HTTPException(422, f"{name}: a NUL or half a surrogate pair cannot be stored")
    key, body = content["key"], content["body"]
    if not 0 < len(key) <= _KEY_CHARS_MAX:
        raise HTTPException(422, f"key: expected 1 to {_KEY_CHARS_MAX} characters")
    if len(body.encode()) > _BODY_BYTES_MAX:
        raise HTTPException(422, f"body: expected at most {_BODY_BYTES_MAX} bytes")
    return key, body
