"""Bad tokens, roles, and what is remembered of a refusal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from clients import Identity, Ledger, unique

REMEMBERED_WITHIN_S = 5.0
EVENT = {"key": "k", "body": "x"}
ENDPOINTS: dict[str, tuple[str, str, Any]] = {
    "append": ("POST", "/v1/acme/events", EVENT),
    "batch": ("POST", "/v1/acme/batch", {"events": [EVENT]}),
    "list": ("GET", "/v1/acme/events", None),
    "export": ("GET", "/v1/acme/export", None),
    "audit": ("GET", "/v1/acme/audit", None),
    "admin": ("GET", "/admin/status", None),
}
MAY = {
    "reader": {"list", "export"},
    "writer": {"append", "batch", "list", "export"},
    "auditor": {"audit"},
    "admin": set(ENDPOINTS),
}


@pytest.fixture(scope="module")
def bad(identity: Identity, ledger: Ledger) -> dict[str, tuple[int, str]]:
    """Status and request id of every bad token, each sent once."""
    tokens = identity.tokens("every", tenant="acme")
    tokens.pop("good")
    found = {}
    for kind, token in tokens.items():
        name = unique(kind)
        answer = ledger.append(token, headers={"x-request-id": name})
        found[kind] = (answer.status_code, name)
    return found


def test_a_good_token_of_each_algorithm_is_believed(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """Else every refusal below could have another reason. The keys come by JWKS alone."""
    found = {}
    for algorithm in ("RS256", "ES256", "EdDSA"):
        kid = identity.ask("POST", "/keys/publish", algorithm=algorithm)["kid"]
        token = identity.token(kid=kid)
        took_s, _ = ledger.status_until(token, 201, within_s=5)
        found[algorithm] = 201 if took_s < 5 else "never"
        identity.ask("POST", f"/keys/{kid}/retire")

    compare(found, dict.fromkeys(found, 201))


def test_every_malformed_token_is_refused(
    bad: dict[str, tuple[int, str]], compare: Callable[..., None]
) -> None:
    """Forged, expired, too early, for others, by others, huge, garbage: 401 each and none 500."""
    kinds = sorted(set(bad) - {"no-kid"})

    assert len(kinds) >= 20
    compare({kind: bad[kind][0] for kind in kinds}, dict.fromkeys(kinds, 401))


def test_a_token_that_names_no_key_is_refused(
    bad: dict[str, tuple[int, str]], compare: Callable[..., None]
) -> None:
    """Strict mode: no key is tried on the off-chance."""
    compare(bad["no-kid"][0], 401)


def test_each_refusal_is_one_audit_entry(
    bad: dict[str, tuple[int, str]],
    identity: Identity,
    ledger: Ledger,
    compare: Callable[..., None],
) -> None:
    """With tenant, reason and the client's own request id."""
    wanted = {name for status, name in bad.values() if status == 401}
    reader = identity.token(roles=["auditor"], tenant="acme")
    found: list[str] = []
    give_up_at = time.monotonic() + REMEMBERED_WITHIN_S
    while len(found) < len(wanted) and time.monotonic() < give_up_at:
        entries, after = [], 0
        while page := _entries(ledger, reader, after):
            entries += page
            after = page[-1]["seq"]
        found = [
            entry["request_id"]
            for entry in entries
            if entry["request_id"] in wanted and entry["tenant"] == "acme" and entry["reason"]
        ]

    compare(
        f"{len(found)} entries, {len(set(found))} ids", f"{len(wanted)} entries, {len(wanted)} ids"
    )


def _entries(ledger: Ledger, token: str, after: int) -> list[dict[str, Any]]:
    answer = ledger.ask("GET", f"/v1/acme/audit?after={after}&limit=100", token)
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def test_each_role_may_do_exactly_what_it_is_for(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """Every role at every endpoint: answered or refused."""
    wanted = {f"{role} {name}": name in may for role, may in MAY.items() for name in ENDPOINTS}

    compare(
        {case: status < 400 for case, status in _matrix(identity, ledger).items()},
        wanted,
    )


def test_a_refusal_says_whether_it_is_the_caller_or_the_right(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """401 for whom nobody knows, 403 for who may not."""
    found = {case: status for case, status in _matrix(identity, ledger).items() if status >= 400}
    found |= {
        f"nobody {name}": ledger.ask(method, path, json=content).status_code
        for name, (method, path, content) in ENDPOINTS.items()
    }

    compare(found, {case: 401 if case.startswith("nobody") else 403 for case in found})


def _matrix(identity: Identity, ledger: Ledger) -> dict[str, int]:
    found = {}
    for role in MAY:
        token = identity.token(roles=[role], tenant="acme")
        for name, (method, path, content) in ENDPOINTS.items():
            fresh = {"key": uuid.uuid4().hex, "body": "x"}
            body = {"append": fresh, "batch": {"events": [fresh]}}.get(name, content)
            more = {"json": body} if body else {}
            found[f"{role} {name}"] = ledger.ask(method, path, token, **more).status_code
    return found
