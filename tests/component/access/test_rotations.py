"""Keys, certificates, passwords and shared secrets change while clients write."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from proving_ground.ledger.shared_secret import HEADER, sign
from proving_ground.providers import postgres
from support.guarded import Guarded, act, reaches_mtls, steady

pytestmark = pytest.mark.component
At = Callable[..., Guarded]


@pytest.mark.full
def test_a_key_rotation_refuses_nobody_until_the_old_key_is_retired(
    components: dict[str, Any], tmp_path: Path, at: At
) -> None:
    """And then exactly the old tokens, when the cache is over and not later."""
    guarded, identity = at(), components["identity"]
    old = guarded.token(tier="premium")
    tokens = [old]
    with steady(guarded, tokens) as load:
        published = act(
            tmp_path, "rotate_keys.py", identity=identity, verb="publish", algorithm="EdDSA"
        )
        signs = act(
            tmp_path, "rotate_keys.py", identity=identity, verb="sign-with-new", algorithm=""
        )
        new = guarded.token(tier="premium")
        time.sleep(float(guarded.says["jwks-cooldown-s"]))
        tokens.append(new)
        time.sleep(0.5)
    retired = act(tmp_path, "rotate_keys.py", identity=identity, verb="retire", algorithm="")
    began = time.monotonic()
    ttl_s = float(guarded.says["jwks-ttl-s"])
    while guarded.append(old).status_code == 201 and time.monotonic() - began < ttl_s + 2:
        time.sleep(0.1)
    took_s = time.monotonic() - began

    assert published["key-published"]
    assert signs["new-key-signs"]
    assert retired["key-retired"]
    assert load.failed == 0, load.seen
    assert load.seen["201"] > 20
    assert guarded.append(old).status_code == 401
    assert guarded.append(new).status_code == 201
    assert took_s <= ttl_s + 0.5


def test_a_renewed_certificate_costs_no_handshake(tmp_path: Path, at: At) -> None:
    """Every request a handshake of its own; both listeners show the new one."""
    guarded = at()
    before = guarded.metric("ledger_certificate_not_after_seconds")
    with steady(guarded, [guarded.token(tier="premium")], fresh=True) as load:
        for seconds in ("7200", "90000"):
            checks = act(
                tmp_path,
                "rotate_certificate.py",
                service=guarded.says,
                valid_for_s=seconds,
            )

    assert checks["certificate-served:https"]
    assert checks["certificate-served:mtls"]
    assert load.failed == 0, load.seen
    assert load.seen["201"] > 20
    assert guarded.metric("ledger_certificate_not_after_seconds") > before


def test_the_listener_for_clients_takes_only_the_one_that_is_named(at: At) -> None:
    """No certificate, another authority's, an expired one, a stranger's: each is refused."""
    guarded = at()
    names = ("client", "client-expired", "client-stranger", "client-other-ca")
    found = {name: reaches_mtls(guarded, guarded.says[name]) for name in names}

    assert found == {name: name == "client" for name in names}
    assert not reaches_mtls(guarded)


def test_a_password_rotation_by_two_roles_fails_nothing(
    components: dict[str, Any], tmp_path: Path, at: At
) -> None:
    """Twice, so that both directions are seen; the old role is out afterwards."""
    guarded, dsn_file = at(), Path(components["ledger-secure"]["dsn-file"])
    facts = {"database": components["ledger-db"], "service": components["ledger-secure"]}
    users = []
    with steady(guarded, [guarded.token(tier="premium")]) as load:
        for _ in range(2):
            checks = act(tmp_path, "rotate_database_password.py", act="rotate", **facts)
            users.append(re.search(r"user=(\w+)", dsn_file.read_text("utf-8")))

    assert checks == dict.fromkeys(("both-may-log-in", "sessions-moved", "old-is-refused"), True)
    assert [found[1] for found in users if found] == ["ledger_b", "ledger_a"]
    assert load.failed == 0, load.seen
    assert load.seen["201"] > 20


def test_a_password_rotation_that_was_cut_off_is_settled_wherever_it_stopped(
    components: dict[str, Any], tmp_path: Path, at: At
) -> None:
    """A second role that may log in, or a password that only the database knows: both left by a
    kill, both gone after the undo, and again after another.
    """
    guarded, service = at(), components["ledger-secure"]
    facts = {"database": components["ledger-db"], "service": service}
    passfile, dsn = Path(service["passfile"]), Path(service["dsn-file"]).read_text("utf-8")
    used = next(name for name in service["logins"].split() if f"user={name}" in dsn)
    other = next(name for name in service["logins"].split() if name != used)
    admin = components["ledger-db"]["admin-dsn"]

    def settled() -> dict[str, bool | None]:
        act(tmp_path, "rotate_database_password.py", act="settle", **facts)
        return act(tmp_path, "rotate_database_password.py", act="settle", **facts)

    postgres.ask(admin, f"ALTER ROLE {other} LOGIN PASSWORD 'known to nobody'")
    kept = passfile.read_text("utf-8")
    passfile.write_text(kept + kept.replace(used, other))
    both = settled()
    postgres.ask(admin, f"ALTER ROLE {used} PASSWORD 'known to the database alone'")
    changed = settled()

    names = ("one-login", "one-password", "password-works")
    assert both == changed == dict.fromkeys(names, True)
    assert guarded.append(guarded.token(tier="premium")).status_code == 201


@pytest.mark.full
def test_clients_of_the_sidecar_notice_no_rotation(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """Keys and certificate in one go, retired as one should: after the last old token's end."""
    caller, identity = components["ledger-caller"], components["identity"]
    seen: list[int] = []
    over = threading.Event()

    def write() -> None:
        with httpx.Client(base_url=caller["url"], timeout=10) as client:
            while not over.wait(0.01):
                event = {"key": uuid.uuid4().hex, "body": "x"}
                seen.append(client.post("/v1/canary/events", json=event).status_code)

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(1.0)
    for verb, pause_s in (("publish", 6.0), ("sign-with-new", 8.5), ("retire", 6.0)):
        act(tmp_path, "rotate_keys.py", identity=identity, verb=verb, algorithm="ES256")
        act(
            tmp_path,
            "rotate_certificate.py",
            service=components["ledger-secure"],
            valid_for_s="86400",
        )
        time.sleep(pause_s)
    over.set()
    thread.join()
    metrics = httpx.get(caller["metrics"]).text

    assert set(seen) == {201}
    assert len(seen) > 200
    assert "caller_failures_total{" not in metrics


@pytest.mark.full
def test_the_naive_way_to_change_a_password_drops_requests(
    components: dict[str, Any], tmp_path: Path, at: At
) -> None:
    """The control experiment: if this failed nothing, the test above would show nothing."""
    guarded = at()
    facts = {"database": components["ledger-db"], "service": components["ledger-secure"]}
    with steady(guarded, [guarded.token(tier="premium")]) as load:
        act(tmp_path, "rotate_database_password.py", act="rotate-naively", **facts)

    assert load.failed > 0
    assert guarded.append(guarded.token(tier="premium")).status_code == 201


def test_during_a_rotation_both_shared_secrets_count_and_afterwards_one(
    tmp_path: Path, at: At
) -> None:
    """Senders change at their own time; a secret that was dropped opens nothing."""
    guarded, token = at(), at().token(tier="premium")
    path = Path(guarded.says["event-secret-file"])
    body = json.dumps({"key": "signed", "body": "x"}).encode()

    def status(secret: str) -> int:
        header = sign(secret.encode(), "POST", "/v1/acme/events", body, int(time.time()))
        return guarded.ask(
            "POST", "/v1/acme/events", token, content=body, headers={HEADER: header}
        ).status_code

    first = path.read_text("ascii").split()[0]
    before = status(first)
    act(tmp_path, "rotate_shared_secret.py", service=guarded.says, verb="add")
    second = path.read_text("ascii").split()[0]
    during = (status(first), status(second))
    act(tmp_path, "rotate_shared_secret.py", service=guarded.says, verb="drop")

    assert before in (200, 201)
    assert during == (200, 200)
    assert (status(first), status(second), status("0" * 64)) == (401, 200, 401)
