"""Signed checkpoints: believed as they are, refused with each byte changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proving_ground.merkle.note import (
    FIRST,
    Checkpoint,
    load_private_key,
    load_public_key,
    make_key,
    note_digest,
    parse_note,
    sign_note,
    verify_note,
)
from proving_ground.merkle.refusal import Refused

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
POINT = Checkpoint("ledger.example/lab", 7, bytes(range(32)), 3, FIRST, "2026-01-01T00:00:00.000Z")
NOTE = sign_note(POINT, KEY)


def test_what_was_signed_comes_back() -> None:
    """Clients act on the size and the root."""
    assert verify_note(NOTE, KEY.public_key(), POINT.origin) == POINT
    assert parse_note(NOTE) == POINT


@given(place=st.integers(0, len(NOTE) - 1), char=st.characters(codec="utf-8"))
def test_a_note_with_one_character_changed_is_refused(place: int, char: str) -> None:
    """Not one byte of what a client reads is outside the signature."""
    changed = NOTE[:place] + char + NOTE[place + 1 :]
    if changed == NOTE:
        return

    with pytest.raises(Refused):
        verify_note(changed, KEY.public_key(), POINT.origin)


@given(cut=st.integers(0, len(NOTE) - 1))
def test_a_note_cut_short_is_malformed(cut: int) -> None:
    """A torn write is no checkpoint."""
    with pytest.raises(Refused, match=r"^malformed"):
        verify_note(NOTE[:cut], KEY.public_key(), POINT.origin)


def test_each_forgery_is_refused_for_its_own_reason() -> None:
    """Drills count the reasons; "invalid" would hide that a check is gone."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    spliced = replace(POINT, size=8).body() + NOTE[len(POINT.body()) :]
    elsewhere = sign_note(replace(POINT, origin="ledger.example/other"), KEY)
    cases = {
        sign_note(POINT, other): "key",
        spliced: "signature",
        elsewhere: "key",
        "": "malformed",
    }

    for note, reason in cases.items():
        with pytest.raises(Refused) as refused:
            verify_note(note, KEY.public_key(), POINT.origin)
        assert refused.value.reason == reason


def test_the_digest_is_that_of_the_whole_note() -> None:
    """Signature included: else the same state signed twice would be one link."""
    assert note_digest(NOTE) != note_digest(NOTE.replace("lab", "lad"))


@pytest.mark.parametrize("origin", ["", "two words", "line\nbreak", "plus+"])
def test_a_name_that_would_break_the_format_is_not_signed(origin: str) -> None:
    """The signer is the last who can refuse it."""
    with pytest.raises(ValueError, match="not a checkpoint"):
        sign_note(replace(POINT, origin=origin), KEY)


def test_a_private_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """Whoever could read it could have signed."""
    private, public = tmp_path / "engine.pem", tmp_path / "engine.pub.pem"
    make_key(private, public)
    assert load_private_key(private).public_key() == load_public_key(public)

    private.chmod(0o640)

    with pytest.raises(ValueError, match="chmod 600"):
        load_private_key(private)
    with pytest.raises(ValueError, match="public key"):
        load_public_key(private)
    with pytest.raises(ValueError, match="private key"):
        load_private_key(tmp_path / "missing.pem")
