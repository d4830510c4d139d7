"""Who is let in by the listener for named clients, and whom clients take for the ledger."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx
import pytest
from clients import Identity, fact

SECURE = "ledger-secure"


def lets_in(identity: Identity, certificate: str, authority: str = "") -> bool:
    """Whether a request with that certificate (or none) is answered."""
    trust = ssl.create_default_context(cafile=authority or fact(SECURE, "ca"))
    if certificate:
        trust.load_cert_chain(fact(SECURE, certificate))
    headers = {"authorization": f"Bearer {identity.token()}"}
    url = fact(SECURE, "mtls-url") + "/v1/acme/events?limit=1"
    try:
        answer = httpx.get(url, verify=trust, headers=headers, timeout=10, trust_env=False)
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return False
    assert answer.status_code == 200, answer.text
    return True


def test_the_named_client_is_let_in(identity: Identity, compare: Callable[..., None]) -> None:
    """Else every refusal below could have another reason."""
    compare(lets_in(identity, "client"), True)


def test_a_client_without_a_certificate_is_refused(
    identity: Identity, compare: Callable[..., None]
) -> None:
    compare(lets_in(identity, ""), False)


@pytest.mark.parametrize("certificate", ["client-other-ca", "client-expired"])
def test_a_certificate_that_does_not_hold_is_refused(
    certificate: str, identity: Identity, compare: Callable[..., None]
) -> None:
    """Of another authority, and of ours but over."""
    compare(lets_in(identity, certificate), False)


def test_a_good_certificate_of_a_stranger_is_refused(
    identity: Identity, compare: Callable[..., None]
) -> None:
    """Our authority signs servers and other clients, too."""
    compare(lets_in(identity, "client-stranger"), False)


def test_another_authority_does_not_vouch_for_the_ledger(
    identity: Identity, compare: Callable[..., None]
) -> None:
    """Trust is limited to the authority that was made for this lab."""
    compare(lets_in(identity, "client", authority=fact(SECURE, "other-ca")), False)
