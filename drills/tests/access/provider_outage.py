"""What the checks before, during and after an outage of the identity provider hand on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clients import fact

LEDGER = "ledger-patient"
TTL_S = float(fact(LEDGER, "jwks-ttl-s"))
COOLDOWN_S = float(fact(LEDGER, "jwks-cooldown-s"))
# Tokens cannot be had while the provider is away: those of before, beside the lab's other secrets.
_KEPT = Path(fact(LEDGER, "event-secret-file")).with_name("tokens-of-before")


def keep(**found: Any) -> None:
    """For the checks that come later, beside what was kept before."""
    _KEPT.touch(mode=0o600)
    text = _KEPT.read_text("utf-8")
    _KEPT.write_text(json.dumps((json.loads(text) if text else {}) | found), "utf-8")


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_KEPT.read_text("utf-8"))
    return found


def forget() -> None:
    _KEPT.unlink(missing_ok=True)
