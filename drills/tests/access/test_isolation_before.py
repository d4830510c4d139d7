"""Before the restore: tenants with an event each, and the audit log's newest entry."""

from __future__ import annotations

from collections.abc import Callable

from audit_log import head, refuse_somebody
from clients import Identity
from kept import forget, keep
from test_isolation import Place

KEPT = "isolation"


def test_two_tenants_write_and_are_remembered(
    identity: Identity, compare: Callable[..., None]
) -> None:
    """What is restored must hold them, and keep them apart as before."""
    place = Place("ledger-secure", identity)
    refuse_somebody(place.ledger, 3)
    forget(KEPT)
    keep(KEPT, place={"mine": place.mine, "other": place.other, "seq": place.seq}, head=head())

    compare(place.events(), 1)
