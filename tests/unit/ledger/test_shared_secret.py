"""Signed requests, and the two secrets of a rotation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proving_ground.ledger.shared_secret import (
    FRESH_FOR_S,
    SharedSecrets,
    SignatureRefused,
    read_secrets,
    sign,
)

OLD, NEW, NOW = b"o" * 32, b"n" * 32, 1_800_000_000
REQUEST = ("POST", "/v1/acme/events", b"body")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(OLD + b"\n")
    return path


def counts(secrets: SharedSecrets, header: str, *request: bytes | str) -> str:
    """``yes``, or the reason."""
    try:
        secrets.check(header, *(request or REQUEST))  # type: ignore[arg-type]
    except SignatureRefused as err:
        return err.reason
    return "yes"


def test_while_two_secrets_stand_in_the_file_both_count(path: Path) -> None:
    """And the file is read again without a restart."""
    secrets = SharedSecrets(path, clock=lambda: NOW)
    old, new = (sign(secret, *REQUEST, NOW) for secret in (OLD, NEW))
    before = (counts(secrets, old), counts(secrets, new))
    path.write_bytes(NEW + b"\n" + OLD + b"\n")
    during = (counts(secrets, old), counts(secrets, new))
    path.write_bytes(NEW + b"\n")
    os.utime(path, ns=(1, 1))

    assert before == ("yes", "signature-wrong")
    assert during == ("yes", "yes")
    assert (counts(secrets, old), counts(secrets, new)) == ("signature-wrong", "yes")


@pytest.mark.parametrize(
    "request_",
    [
        ("PUT", "/v1/acme/events", b"body"),
        ("POST", "/v1/other/events", b"body"),
        ("POST", "/v1/acme/events", b"other"),
    ],
)
def test_a_signature_is_for_one_request(path: Path, request_: tuple[str, str, bytes]) -> None:
    """Taken from the wire, it must not open another door."""
    secrets = SharedSecrets(path, clock=lambda: NOW)

    assert counts(secrets, sign(OLD, *REQUEST, NOW), *request_) == "signature-wrong"


def test_an_old_signature_and_a_malformed_one_are_refused(path: Path) -> None:
    """A recording is no sender."""
    secrets = SharedSecrets(path, clock=lambda: NOW)

    stale = sign(OLD, *REQUEST, NOW - FRESH_FOR_S - 1)

    assert counts(secrets, stale) == "signature-stale"
    assert counts(secrets, sign(OLD, *REQUEST, NOW - FRESH_FOR_S)) == "yes"
    assert counts(secrets, "t=1") == "signature-malformed"


def test_a_file_that_is_gone_for_an_instant_changes_nothing(path: Path) -> None:
    """A rotation that removes and writes again must not drop requests."""
    secrets = SharedSecrets(path, clock=lambda: NOW)
    header = sign(OLD, *REQUEST, NOW)
    assert counts(secrets, header) == "yes"
    path.unlink()

    assert counts(secrets, header) == "yes"


@pytest.mark.parametrize("text", [b"", b"short\n", b"\n".join([OLD, NEW, OLD])])
def test_a_file_with_no_or_weak_or_too_many_secrets_is_refused(path: Path, text: bytes) -> None:
    """An empty secret signs for everybody."""
    path.write_bytes(text)

    with pytest.raises(ValueError, match="expected"):
        read_secrets(path)
