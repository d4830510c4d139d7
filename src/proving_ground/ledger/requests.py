"""What a request may say: a tenant, an event, a number; else it is refused with the reason."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from proving_ground.ledger.roles import TENANT, Caller

_KEY_CHARS_MAX = 200
_BODY_BYTES_MAX = 65536
REQUEST_BYTES_MAX = 8 * _BODY_BYTES_MAX  # JSON may escape each character
_SEQ_MAX = 2**63 - 1
_PAGE_MAX = 1000
_BATCH_MAX = 100


def tenant_of(request: Request) -> str:
    tenant = str(request.path_params["tenant"])
    if not TENANT.fullmatch(tenant):
        raise HTTPException(422, "tenant: expected up to 63 of a-z, 0-9 and -")
    return tenant


def seq_of(request: Request) -> int:
    text = str(request.path_params["seq"])
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= _SEQ_MAX:
        raise HTTPException(422, f"seq: expected a positive number, got {text!r}")
    return int(text)


def caller_of(request: Request) -> Caller:
    """Who calls, as the gate found."""
    found: Caller = request.state.caller
    return found


def page_of(request: Request) -> tuple[int, int]:
    """``after`` and ``limit`` of a list."""
    found = []
    for name, default, most in (("after", "0", _SEQ_MAX), ("limit", "100", _PAGE_MAX)):
        text = request.query_params.get(name, default)
        if not (text.isascii() and text.isdigit()) or int(text[:20]) > most:
            raise HTTPException(422, f"{name}: expected 0 to {most}, got {text[:40]!r}")
        found.append(int(text))
    return found[0], found[1]


async def content_of(request: Request) -> Any:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > REQUEST_BYTES_MAX:
            raise HTTPException(413, f"expected at most {REQUEST_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise HTTPException(400, "expected a JSON object") from err


def parse_events(content: Any) -> list[tuple[str, str]]:
    """Keys and bodies of a batch."""
    events = content.get("events") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(events, list) or not 0 < len(events) <= _BATCH_MAX:
        raise HTTPException(422, f"expected an object with 'events', a list of 1 to {_BATCH_MAX}")
    return [parse_event(event) for event in events]


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
