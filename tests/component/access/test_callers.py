"""Who may do what on the guarded ledger: tokens, roles, tenants, on every storage driver."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from proving_ground.identity.mint import BAD
from support.guarded import Guarded
from support.small_lab import small_lab

pytestmark = pytest.mark.component
At = Callable[..., Guarded]
DRIVERS = ("ledger-secure", "ledger-memory")
ENDPOINTS = {
    "append": ("POST", "/v1/acme/events"),
    "batch": ("POST", "/v1/acme/batch"),
    "read": ("GET", "/v1/acme/events/1"),
    "list": ("GET", "/v1/acme/events"),
    "export": ("GET", "/v1/acme/export"),
    "audit": ("GET", "/v1/acme/audit"),
    "admin": ("GET", "/admin/status"),
}
MAY = {
    "reader": {"read", "list", "export"},
    "writer": {"append", "batch", "read", "list", "export"},
    "auditor": {"audit"},
    "admin": set(ENDPOINTS),
}


def content(name: str) -> dict[str, Any]:
    event = {"key": uuid.uuid4().hex, "body": "x"}
    known: dict[str, dict[str, Any]] = {
        "append": {"json": event},
        "batch": {"json": {"events": [event]}},
    }
    return known.get(name, {})


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_role_may_do_exactly_what_it_is_for(driver: str, at: At) -> None:
    """The whole matrix: 2xx where it may (the event is there), 403 where not, 401 without token."""
    guarded = at(driver)
    guarded.append(guarded.token(tier="premium"))
    first = guarded.ask("GET", "/v1/acme/events", guarded.token(tier="premium"))
    seq = first.json()["events"][0]["seq"]
    found, wanted = {}, {}
    for role, may in MAY.items():
        token = guarded.token(roles=[role], tier="premium")
        for name, (method, path) in ENDPOINTS.items():
            place = path.replace("/1", f"/{seq}") if name == "read" else path
            answer = guarded.ask(method, place, token, **content(name))
            found[role, name] = (
                answer.status_code // 100 if answer.is_success else answer.status_code
            )
            wanted[role, name] = 2 if name in may else 403
    for name, (method, path) in ENDPOINTS.items():
        found["nobody", name] = guarded.http.request(method, path, **content(name)).status_code
        wanted["nobody", name] = 401

    assert found == wanted


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_tenant_sees_nothing_of_another_whatever_it_says(driver: str, at: At) -> None:
    """One leak is a blocker: by path, by header, by number, in a list, a batch or an export."""
    guarded = at(driver)
    mine = guarded.token(tenant="acme", tier="premium")
    other = guarded.token(tenant="other", tier="premium")
    seq = guarded.append(mine).json()["seq"]
    header = {"headers": {"x-tenant": "acme"}}

    for method, path in ENDPOINTS.values():
        if "/acme/" in path:
            assert guarded.ask(method, path, other, **header).status_code == 403
    assert guarded.ask("GET", f"/v1/other/events/{seq}", other, **header).status_code == 404
    theirs = guarded.ask("GET", "/v1/other/export", other, **header).text
    assert '"tenant": "acme"' not in theirs
    assert guarded.ask("GET", f"/v1/acme/events/{seq}", mine).json()["tenant"] == "acme"


@pytest.mark.full
def test_a_proof_is_the_tenants_own() -> None:
    """The engine proves every event to everybody who asks it; the guards decide who may."""
    with (
        small_lab("ledger-guarded-proofs") as lab,
        contextlib.closing(
            Guarded(lab.environment()["components"], "ledger-guarded-proofs")
        ) as guarded,
    ):
        mine, other = (guarded.token(tenant=name, tier="premium") for name in ("acme", "other"))
        seq = guarded.append(mine).json()["seq"]
        give_up_at = time.monotonic() + 15
        while (
            answer := guarded.ask("GET", f"/v1/acme/proofs/{seq}", mine)
        ).status_code != 200 and time.monotonic() < give_up_at:
            time.sleep(0.1)

        assert answer.status_code == 200, answer.text
        assert guarded.ask("GET", f"/v1/acme/proofs/{seq}", other).status_code == 403
        assert guarded.ask("GET", f"/v1/other/proofs/{seq}", other).status_code == 404
        assert guarded.http.get(f"/v1/acme/proofs/{seq}").status_code == 401


def test_a_batch_is_stored_whole_or_not_at_all(at: At) -> None:
    """On both drivers: half a batch is a state that nobody asked for."""
    for driver in DRIVERS:
        guarded = at(driver)
        token = guarded.token(tenant="batch", tier="premium", roles=["admin"])
        events = [{"key": f"k{n}", "body": "x"} for n in range(3)]
        wrong = [{"key": "k9", "body": "x"}, {"key": "k0", "body": "another"}]
        first = guarded.ask("POST", "/v1/batch/batch", token, json={"events": events})
        second = guarded.ask("POST", "/v1/batch/batch", token, json={"events": wrong})
        stored = guarded.ask("GET", "/v1/batch/events", token).json()["events"]

        assert (first.status_code, second.status_code) == (201, 409)
        assert [event["key"] for event in stored] == ["k0", "k1", "k2"]


def test_every_bad_token_is_refused_and_remembered_once(components: dict[str, Any], at: At) -> None:
    """All 401, none 500; one audit entry a refusal, found by the client's own request id."""
    guarded = at()
    tokens = guarded.identity.tokens(*BAD, tenant="acme")
    ids = {kind: f"bad-{kind}-{uuid.uuid4().hex[:8]}" for kind in BAD}
    statuses = {
        kind: guarded.append(token, headers={"x-request-id": ids[kind]}).status_code
        for kind, token in tokens.items()
    }
    with psycopg.connect(components["ledger-db"]["dsn"]) as conn:
        rows = conn.execute(
            "SELECT request_id, tenant, reason FROM audit WHERE request_id = ANY(%s)",
            (list(ids.values()),),
        ).fetchall()

    assert statuses == dict.fromkeys(BAD, 401)
    assert sorted(row[0] for row in rows) == sorted(ids.values())
    assert all(row[1] == "acme" and row[2] for row in rows)


def test_a_changed_audit_entry_is_noticed(components: dict[str, Any], at: At) -> None:
    """The service may not change one; a superuser can, and the chain says so."""
    dsn, admin = components["ledger-db"]["dsn"], components["ledger-db"]["admin-dsn"]
    guarded = at()
    guarded.append(guarded.token("expired"))
    tool = [sys.executable, "-m", "proving_ground", "audit", "--dsn", dsn]
    whole = subprocess.run(tool, capture_output=True, text=True, check=False)
    with psycopg.connect(admin, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM audit")
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE audit SET reason = reason || '!' WHERE seq = 1")
        changed = subprocess.run(tool, capture_output=True, text=True, check=False)
        conn.execute("UPDATE audit SET reason = rtrim(reason, '!') WHERE seq = 1")

    assert whole.returncode == 0, whole.stderr
    assert changed.returncode == 1
    assert "entry 1 was changed" in changed.stderr


def test_every_answer_carries_the_security_headers(at: At) -> None:
    """Refusals and open routes too."""
    answers = [at().http.get(path) for path in ("/healthz", "/metrics", "/v1/a/events", "/no")]

    for answer in answers:
        assert answer.headers["strict-transport-security"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
