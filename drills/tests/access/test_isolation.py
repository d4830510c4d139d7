"""One tenant's data from another tenant's place, on every storage driver."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from clients import Identity, Ledger, unique

DRIVERS = ("ledger-secure", "ledger-memory")
VERBS: dict[str, tuple[str, str, bool]] = {  # method, path below the tenant, whether it writes
    "append": ("POST", "events", True),
    "batch": ("POST", "batch", True),
    "list": ("GET", "events", False),
    "export": ("GET", "export", False),
    "audit": ("GET", "audit", False),
}


class Place:
    """Two tenants on one driver, both with one event; nobody knew them before, unless named."""

    def __init__(
        self, driver: str, identity: Identity, *, mine: str = "", other: str = "", seq: int = 0
    ) -> None:
        self.ledger = Ledger(driver)
        self.mine, self.other = mine or unique("mine"), other or unique("other")
        roles = ["admin"]
        self.my_token = identity.token(tenant=self.mine, roles=roles)
        self.other_token = identity.token(tenant=self.other, roles=roles)
        self.seq = seq or self._begin()

    def _begin(self) -> int:
        """An event of each; number of the first tenant's."""
        answer = self.ledger.append(self.my_token, self.mine)
        assert answer.status_code == 201, answer.text
        assert self.ledger.append(self.other_token, self.other).status_code == 201
        seq: int = answer.json()["seq"]
        return seq

    def do(self, verb: str, tenant: str, token: str, **headers: str) -> Any:
        method, path, writes = VERBS[verb]
        event = {"key": uuid.uuid4().hex, "body": "not yours"}
        body = {"events": [event]} if verb == "batch" else event
        more = {"json": body} if writes else {}
        return self.ledger.ask(method, f"/v1/{tenant}/{path}", token, headers=headers, **more)

    def events(self) -> int:
        """How many events the first tenant has."""
        answer = self.do("list", self.mine, self.my_token)
        return len(answer.json()["events"])


@pytest.fixture(params=DRIVERS)
def place(request: pytest.FixtureRequest, identity: Identity) -> Place:
    return Place(request.param, identity)


def test_another_tenants_path_is_closed(place: Place, compare: Callable[..., None]) -> None:
    """Every verb: 403, and nothing was written."""
    before = place.events()
    found = {verb: place.do(verb, place.mine, place.other_token).status_code for verb in VERBS}
    found["events written"] = place.events() - before

    compare(found, {**dict.fromkeys(VERBS, 403), "events written": 0})


def test_an_event_of_another_tenant_cannot_be_had_by_its_number(
    place: Place, compare: Callable[..., None]
) -> None:
    """Below one's own path, where the token is right: 404, as if it were not there."""
    own = place.ledger.ask("GET", f"/v1/{place.mine}/events/{place.seq}", place.my_token)
    stolen = place.ledger.ask("GET", f"/v1/{place.other}/events/{place.seq}", place.other_token)

    compare((own.status_code, stolen.status_code), (200, 404))


def test_lists_and_exports_hold_ones_own_alone(place: Place, compare: Callable[..., None]) -> None:
    """Not one event of the other tenant in either."""
    texts = [place.do(verb, place.other, place.other_token).text for verb in ("list", "export")]

    compare([place.mine in text for text in texts], [False, False])
    assert all(place.other in text for text in texts)


def test_a_forged_tenant_header_changes_nothing(place: Place, compare: Callable[..., None]) -> None:
    """The tenant is the token's, whatever a header says."""
    before = place.events()
    forged = {"x-tenant": place.mine}
    found = {
        verb: place.do(verb, place.mine, place.other_token, **forged).status_code for verb in VERBS
    }
    found["events written"] = place.events() - before

    compare(found, {**dict.fromkeys(VERBS, 403), "events written": 0})


def test_a_verb_that_a_role_lacks_has_no_effect(
    place: Place, identity: Identity, compare: Callable[..., None]
) -> None:
    """A reader may not write, a writer may not look into the audit log."""
    reader = identity.token(tenant=place.mine, roles=["reader"])
    writer = identity.token(tenant=place.mine, roles=["writer"])
    before = place.events()
    found: dict[str, int] = {
        "reader append": place.do("append", place.mine, reader).status_code,
        "reader batch": place.do("batch", place.mine, reader).status_code,
        "writer audit": place.do("audit", place.mine, writer).status_code,
    }
    found["events written"] = place.events() - before

    compare(
        found, {"reader append": 403, "reader batch": 403, "writer audit": 403, "events written": 0}
    )


def test_the_time_of_a_refusal_does_not_tell_what_exists(
    place: Place, at_most: Callable[..., None]
) -> None:
    """Medians of 404 for a number of another tenant, and for one that nobody has."""
    here: list[float] = []
    nowhere: list[float] = []
    for _ in range(30):  # in turn, so that a busy moment hits both
        for seq, times in ((place.seq, here), (place.seq + 10**9, nowhere)):
            began = time.perf_counter()
            path = f"/v1/{place.other}/events/{seq}"
            assert place.ledger.ask("GET", path, place.other_token).status_code in (200, 404)
            times.append((time.perf_counter() - began) * 1000)

    at_most(abs(sorted(here)[15] - sorted(nowhere)[15]), 20.0, "ms between the medians")
