"""The matrix of ``test_isolation`` again: tenants and events of before, on the restored store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from audit_log import verify
from clients import Identity
from kept import kept
from test_isolation import *  # noqa: F403 - its checks, with the place below
from test_isolation import Place
from test_isolation_before import KEPT


@pytest.fixture
def place(identity: Identity) -> Place:
    return Place("ledger-secure", identity, **kept(KEPT)["place"])


def test_what_was_written_before_is_there(place: Place, compare: Callable[..., None]) -> None:
    """Else every refusal above could be that of an empty store."""
    own = place.ledger.ask("GET", f"/v1/{place.mine}/events/{place.seq}", place.my_token)

    compare((own.status_code, own.json().get("tenant")), (200, place.mine))


def test_the_audit_log_is_whole_and_holds_what_was_seen_before(
    compare: Callable[..., None],
) -> None:
    """Its newest entry of before the loss was written down elsewhere."""
    compare(verify(seen=kept(KEPT)["head"])[0], 0)
