"""Damage must be as deep as its name says, or a row of the detection matrix proves another one."""

from __future__ import annotations

import hashlib
import json

import pytest

from proving_ground.damage import _with_file
from proving_ground.pages import PAGE_BYTES, page_checksum, stored_checksum, with_checksum


def manifest(size: int, checksum: str) -> str:
    text = (
        '{ "PostgreSQL-Backup-Manifest-Version": 2,\n"Files": [\n'
        f'{{ "Path": "base/5/16400", "Size": {size}, "Last-Modified": "x", '
        f'"Checksum-Algorithm": "SHA256", "Checksum": "{checksum}" }},\n'
        '{ "Path": "base/5/164001", "Size": 7, "Checksum": "aa" }\n],\n'
    )
    return text + f'"Manifest-Checksum": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'


def test_a_remade_manifest_agrees_with_the_changed_file_alone() -> None:
    """Else pg_verifybackup would notice what the row says only a later check can."""
    digest = hashlib.sha256(b"new").hexdigest()

    made = _with_file(manifest(9, "00"), "base/5/16400", b"new")

    assert made == manifest(3, digest)
    assert json.loads(made)["Files"][1]["Size"] == 7


def test_a_file_that_the_manifest_does_not_list_is_refused() -> None:
    """Damage that hit nothing would be a row that shows nothing."""
    with pytest.raises(ValueError, match="lists no base/5/9"):
        _with_file(manifest(9, "00"), "base/5/9", b"")


def test_a_sealed_page_says_it_is_whole_and_any_bit_breaks_that() -> None:
    """Checked against real pages, too, each time the matrix changes one."""
    page = with_checksum(bytes(range(256)) * (PAGE_BYTES // 256), 3)
    broken = bytearray(page)
    broken[4000] ^= 1

    assert stored_checksum(page) == page_checksum(page, 3)
    assert stored_checksum(page) != page_checksum(page, 4)
    assert stored_checksum(bytes(broken)) != page_checksum(bytes(broken), 3)
