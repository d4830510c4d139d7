"""Checks a proof of the Merkle engine with nothing of the ledger's own code (RFC 6962, RFC 9162).

A copy of a mistake would agree with the mistake.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

Event = tuple[int, str, str, str]
"""Number, tenant, key, body."""


class Verifier:
    """Believes one public key; signatures that it has checked are not checked again."""

    def __init__(self, key: str) -> None:
        found = load_pem_public_key(Path(key).read_bytes())
        if not isinstance(found, Ed25519PublicKey):
            raise ValueError(f"{key} is no Ed25519 key")
        self._key, self._roots = found, dict[str, tuple[int, bytes]]()

    def why_not(self, event: Event, said: dict[str, Any]) -> str | None:
        """What is wrong with the engine's answer; None when it proves this event."""
        try:
            size, root = self._stated(said["checkpoint"])
            path = [bytes.fromhex(node) for node in said["proof"]]
        except (KeyError, ValueError, TypeError) as err:
            return f"no proof: {err!r}"
        except InvalidSignature:
            return "the checkpoint's signature does not hold"
        return None if _root(_leaf(event), event[0] - 1, size, path) == root else "another root"

    def _stated(self, note: str) -> tuple[int, bytes]:
        if note not in self._roots:
            text, _, tail = note.partition("\n\n")
            signature = base64.b64decode(tail.split()[2], validate=True)[4:]
            self._key.verify(signature, f"{text}\n".encode())
            lines = text.split("\n")
            self._roots[note] = int(lines[1]), base64.b64decode(lines[2], validate=True)
        return self._roots[note]


def _leaf(event: Event) -> bytes:
    seq, *texts = event
    data = "".join(f"{len(text.encode())}:{text}" for text in texts)
    return hashlib.sha256(b"\x00" + f"{seq} {data}".encode()).digest()


def _root(found: bytes, place: int, size: int, path: list[bytes]) -> bytes | None:
    """Where the path leads; None when it is too short or too long."""
    last = size - 1
    if not 0 <= place <= last:
        return None
    for node in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = hashlib.sha256(b"\x01" + node + found).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + node).digest()
        place, last = place >> 1, last >> 1
    return found if last == 0 else None
