"""The hash that ties each event to the one before. Stdlib only: tests and drills recompute it."""

from __future__ import annotations

import hashlib

GENESIS = "0" * 64


def event_digest(previous: str, seq: int, tenant: str, key: str, body: str) -> str:
    """Hex sha256 over ``PREVIOUS SP SEQ SP`` and the three texts as netstrings without commas.

    Lengths count UTF-8 bytes, so that no two different events share one encoding.
    """
    texts = "".join(f"{len(text.encode())}:{text}" for text in (tenant, key, body))
    return hashlib.sha256(f"{previous} {seq} {texts}".encode()).hexdigest()
