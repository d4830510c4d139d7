"""During the rotation of the shared secret."""

from __future__ import annotations

from collections.abc import Callable

from clients import Identity, Ledger
from signatures import KEPT, secrets, signed, status


def test_both_secrets_count(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """Senders change at their own time; a made-up secret opens nothing."""
    token = identity.token(tenant="acme")
    current, previous = secrets()
    body, header = signed(previous)
    KEPT.touch(mode=0o600)
    KEPT.write_text(f"{header}\n{body.decode()}", "utf-8")
    found = {
        name: status(ledger, token, *signed(secret))
        for name, secret in (("current", current), ("previous", previous), ("made up", "0" * 64))
    }

    compare(found, {"current": 201, "previous": 201, "made up": 401})
