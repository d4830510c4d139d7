"""Signatures: two ways to make them, and whatever was changed after it was signed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import pytest
from clients import Identity, Ledger, fact
from signatures import PATH, mac, secrets, signed, status


@pytest.fixture(scope="module")
def pack() -> dict[str, int]:
    """Counts of ``cross-sign``: the hard events it knows, and a thousand made-up ones."""
    argv = [fact("ledger-secure", "cross-sign"), "--count", "1000"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)
    found: dict[str, int] = json.loads(done.stdout)
    assert found["events"] > 1000
    return found


def test_two_ways_sign_alike(pack: dict[str, int], compare: Callable[..., None]) -> None:
    """Nested, empty, of every plane of Unicode, with numbers at the edges of a double."""
    wanted = pack["events"]

    compare(f"{pack['equal']} of {wanted} signed alike", f"{wanted} of {wanted} signed alike")


def test_what_was_signed_is_accepted(pack: dict[str, int], compare: Callable[..., None]) -> None:
    """Else refusing is no art."""
    wanted = pack["events"]

    compare(f"{pack['accepted']} of {wanted} accepted", f"{wanted} of {wanted} accepted")


def test_what_was_changed_is_refused(pack: dict[str, int], compare: Callable[..., None]) -> None:
    """Each event in four ways: its secret, tenant, key and body."""
    wanted = 4 * pack["events"]

    compare(f"{pack['refused']} of {pack['tampered']} refused", f"{wanted} of {wanted} refused")


def test_a_changed_request_is_refused(
    identity: Identity, ledger: Ledger, compare: Callable[..., None]
) -> None:
    """By the ledger itself, and nothing of it is stored."""
    token = identity.token(tenant="acme")
    secret, now = secrets()[0], int(time.time())
    body, header = signed(secret)
    value = header.partition("v1=")[2]
    sent = {
        "another body": (body.replace(b'"signed"', b'"forged"'), header),
        "one byte more": (body + b" ", header),
        "another time": (body, f"t={now + 60},v1={value}"),
        "another path": (body, f"t={now},v1={mac(secret, now, body, path=PATH + '/')}"),
        "another verb": (body, f"t={now},v1={mac(secret, now, body, verb='PUT')}"),
        "an hour old": (body, f"t={now - 3600},v1={mac(secret, now - 3600, body)}"),
        "an hour early": (body, f"t={now + 3600},v1={mac(secret, now + 3600, body)}"),
        "another secret": (body, f"t={now},v1={mac('0' * 64, now, body)}"),
        "half a signature": (body, header[:-32]),
        "capitals": (body, f"t={now},v1={value.upper()}"),
    }
    found = {name: status(ledger, token, *request) for name, request in sent.items()}
    found["as it was signed"] = status(ledger, token, body, header)  # 200 were it stored already

    compare(found, {**dict.fromkeys(sent, 401), "as it was signed": 201})
