"""After the previous shared secret was dropped."""

from __future__ import annotations

from collections.abc import Callable

from clients import Identity, Ledger
from signatures import KEPT, secrets, signed, status


def test_the_dropped_secret_is_refused(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """A request that was signed well a moment ago, never sent before."""
    token = identity.token(tenant="acme")
    header, _, body = KEPT.read_text("utf-8").partition("\n")
    KEPT.unlink()
    (current,) = secrets()
    found = {
        "current": status(ledger, token, *signed(current)),
        "dropped": status(ledger, token, body.encode(), header),
    }

    compare(found, {"current": 201, "dropped": 401})
