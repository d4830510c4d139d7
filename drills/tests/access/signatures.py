"""Signed requests, as the ledger's README describes them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path

from clients import Ledger, fact

PATH = "/v1/acme/events"
# A request signed with the secret that the rotation drops; shown again afterwards.
KEPT = Path(fact("ledger-secure", "event-secret-file")).with_name("request-of-previous-secret")


def secrets() -> list[str]:
    """Current first."""
    return Path(fact("ledger-secure", "event-secret-file")).read_text("ascii").split()


def mac(secret: str, at: int, body: bytes, *, verb: str = "POST", path: str = PATH) -> str:
    text = f"{at}\n{verb}\n{path}\n".encode() + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def signed(secret: str) -> tuple[bytes, str]:
    """(body, header) of a new event."""
    body = json.dumps({"key": uuid.uuid4().hex, "body": "signed"}).encode()
    at = int(time.time())
    return body, f"t={at},v1={mac(secret, at, body)}"


def status(ledger: Ledger, token: str, body: bytes, header: str) -> int:
    headers = {"x-ledger-signature": header}
    return ledger.ask("POST", PATH, token, content=body, headers=headers).status_code
