"""What of an event goes into the tree. Stdlib only: auditors recompute it from this file."""

from __future__ import annotations

import hashlib


def leaf_bytes(seq: int, tenant: str, key: str, body: str) -> bytes:
    """``SEQ SP`` and the three texts as netstrings without commas; lengths count UTF-8 bytes.

    Unlike the event's digest it does not hold the one before: the tree holds the order.
    """
    texts = "".join(f"{len(text.encode())}:{text}" for text in (tenant, key, body))
    return f"{seq} {texts}".encode()


def hash_leaf(data: bytes) -> bytes:
    """Hash of a leaf. Source: RFC 6962, 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node. Source: RFC 6962, 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf_hash(seq: int, tenant: str, key: str, body: str) -> bytes:
    """Hash under which an event stands in the tree."""
    return hash_leaf(leaf_bytes(seq, tenant, key, body))
