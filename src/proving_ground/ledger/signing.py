"""Signatures of events with a shared secret, made in two ways that share no code.

An event's text is the canonical JSON (RFC 8785) of tenant, key and body, so that senders in any
language sign the same bytes; the signature is its HMAC-SHA256 in hex. ``sign`` uses rfc8785 and
the standard library's hmac. ``sign_again`` writes the canonical JSON and the HMAC by hand, from
the sentences of RFC 8785 and RFC 2104: one mistake would have to be made twice to go unnoticed.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import rfc8785

from proving_ground.ledger import defects

_BLOCK_BYTES = 64
_SAFE_INTEGER = 2**53 - 1
_ESCAPES = {'"': '\\"', "\\": "\\\\"}
_ESCAPES |= {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES |= {chr(n): f"\\u{n:04x}" for n in range(32) if chr(n) not in _ESCAPES}


def sign(secret: bytes, tenant: str, key: str, body: Any) -> str:
    """Signature of an event; ``body`` is a text in the ledger and may be any JSON elsewhere."""
    text = rfc8785.dumps({"tenant": tenant, "key": key, "body": body})
    return hmac.digest(secret, text, "sha256").hex()


def sign_again(secret: bytes, tenant: str, key: str, body: Any) -> str:
    """The same by the other path."""
    text = "".join(_written({"tenant": tenant, "key": key, "body": body})).encode()
    return _hmac(secret, text).hex()


def signed_by(
    secrets: Sequence[bytes], signature: str, tenant: str, key: str, body: Any
) -> int | None:
    """Place of the secret that signed the event: 0 is the current one; None: nobody did."""
    if defects.on("signature-ignored"):
        return 0
    given = signature.encode("utf-8", "surrogatepass")
    for place, secret in enumerate(secrets):
        if hmac.compare_digest(sign(secret, tenant, key, body).encode(), given):
            return place
    return None


def _hmac(secret: bytes, text: bytes) -> bytes:
    """Source: RFC 2104, 2."""
    key = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    key = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def _written(value: Any) -> Iterator[str]:
    """Source: RFC 8785, 3.2."""
    if value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        yield _quoted(value)
    elif isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError("a double cannot hold this integer exactly")
        yield str(value)
    elif isinstance(value, float):
        yield _number(value)
    elif isinstance(value, dict):
        names = sorted(value, key=_place)
        for place, name in enumerate(names):
            yield "," if place else "{"
            yield _quoted(name) + ":"
            yield from _written(value[name])
        yield "}" if names else "{}"
    else:
        for place, item in enumerate(value):
            yield "," if place else "["
            yield from _written(item)
        yield "]" if value else "[]"


def _place(name: str) -> bytes:
    """By UTF-16 units, which are not in the order of the characters' numbers."""
    return name.encode("utf-32-be" if defects.on("names-by-character") else "utf-16-be")


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def _number(value: float) -> str:
    """ECMAScript's shortest text. Source: ECMA-262, Number::toString."""
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    sign, figures, power = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, figures))
    if digits == "0":
        return "0"
    point = len(digits) + int(power)  # the value is 0.DIGITS times ten to the power of point
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"-{text}" if sign else text
