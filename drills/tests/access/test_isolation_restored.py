"""The matrix of ``test_isolation`` again: tenants and events of before, on the restored store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from audit_log import verify
from clients import Identity
from kept import forget, kept
from test_isolation import *  # noqa: F403 - its checks; in the place below
from test_isolation import Place
from test_isolation_before import KEPT


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, Any]]:
    yield kept(KEPT)
    forget(KEPT)


@pytest.fixture
def place(identity: Identity, before: dict[str, Any]) -> Place:
    return Place("ledger-secure", identity, **before["place"])


def test_what_was_written_before_is_there(place: Place, compare: Callable[..., None]) -> None:
    """Else every refusal above could be that of an empty store."""
    own = place.ledger.ask("GET", f"/v1/{place.mine}/events/{place.seq}", place.my_token)

    compare((own.status_code, own.json().get("tenant")), (200, place.mine))


def test_the_audit_log_is_whole_and_holds_what_was_seen_before(
    before: dict[str, Any], compare: Callable[..., None]
) -> None:
    """Its newest entry of before the loss was written down elsewhere."""
    code, words = verify(seen=before["head"])

    compare("whole" if code == 0 else words, "whole")
