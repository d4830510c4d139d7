"""Files of a listener: what cannot serve, and what is taken over while it serves."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from proving_ground.authority import Authority
from proving_ground.ledger.tls import Served, file_problems, names_of


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make("test authority")


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> Path:
    return authority.issue(tmp_path / "server.pem", ["ledger.test", "127.0.0.1"])


def shown(served: Served, authority: Authority) -> str:
    """Serial that a client who trusts the authority is shown, in memory."""
    client = ssl.create_default_context(cadata=authority.pem().decode("ascii"))
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(there, here, server_hostname="ledger.test")
    gives = served.context.wrap_bio(here, there, server_side=True)
    for _ in range(4):
        for side in (asks, gives):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = asks.getpeercert() or {}
    return str(found["serialNumber"])


def test_a_good_pair_has_no_problems(pair: Path, authority: Authority, tmp_path: Path) -> None:
    """Else every refusal below could have another reason."""
    assert file_problems(pair, pair, authority.save(tmp_path)) == []


def test_each_file_that_cannot_serve_is_told_with_its_role(
    pair: Path, authority: Authority, tmp_path: Path
) -> None:
    """At start, not at the first handshake."""
    other = authority.issue(tmp_path / "other.pem", ["ledger.test"])
    expired = authority.issue(tmp_path / "expired.pem", ["ledger.test"], valid_for_s=-5)
    empty = tmp_path / "empty.pem"
    empty.write_text("", "utf-8")
    readable = authority.issue(tmp_path / "readable.pem", ["ledger.test"])
    readable.chmod(0o640)

    assert file_problems(pair, tmp_path / "no.pem")[0].startswith("key: there is no file")
    assert file_problems(pair, other) == [
        "key: it does not belong to the certificate; name the pair"
    ]
    assert "mode 0640 lets others read it" in file_problems(readable, readable)[0]
    assert file_problems(expired, expired)[0].startswith("cert: it expired on")
    assert "holds no certificate" in file_problems(empty, pair)[0]
    assert file_problems(pair, pair, empty)[0].startswith("ca: ")


def test_a_renewed_certificate_is_served_by_the_same_context(
    pair: Path, authority: Authority
) -> None:
    """No listener is closed, so no client is turned away."""
    served = Served(pair, pair)
    before = shown(served, authority)
    unchanged = served.look()
    authority.issue(pair, ["ledger.test"])
    changed = served.look()

    assert (unchanged, changed) == (False, True)
    assert shown(served, authority) != before


def test_a_pair_that_does_not_match_leaves_the_old_one_in_service(
    pair: Path, authority: Authority, tmp_path: Path
) -> None:
    """Half a renewal must not become an outage."""
    key = tmp_path / "key.pem"
    key.write_bytes(pair.read_bytes())
    key.chmod(0o600)
    served = Served(pair, key)
    before = shown(served, authority)
    authority.issue(pair, ["ledger.test"])

    assert served.look() is False
    assert shown(served, authority) == before
    key.write_bytes(pair.read_bytes())
    assert served.look() is True


def test_the_common_name_is_no_name() -> None:
    """Only the alternative names count, and only DNS ones."""
    found = names_of(
        {"subject": ((("commonName", "a"),),), "subjectAltName": (("DNS", "b"), ("email", "c"))}
    )

    assert found == {"b"}
