"""Requests signed with a shared secret: the current one, and for a while the one before it."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path

from proving_ground.ledger import defects

HEADER = "x-ledger-signature"
FRESH_FOR_S = 300  # a recorded request cannot be sent again tomorrow
SECRET_BYTES_MIN = 32
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class SignatureRefused(Exception):
    """Not signed with a secret that counts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SharedSecrets:
    """A file with the current secret on its first line and, during a rotation, the previous one
    on its second. Read again whenever it changes: rotating needs no restart.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._seen: tuple[int, int, int] | None = None
        self._secrets: list[bytes] = []

    def secrets(self) -> list[bytes]:
        """Current first. A file that is missing or broken for an instant changes nothing."""
        try:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            if mark != self._seen:
                fresh = read_secrets(self._path)
                if defects.on("previous-secret-forever"):
                    fresh += [each for each in self._secrets if each not in fresh]
                self._secrets, self._seen = fresh, mark
        except (OSError, ValueError):
            pass
        return self._secrets[:1] if defects.on("current-secret-only") else self._secrets

    def check(self, header: str, method: str, path: str, body: bytes) -> None:
        """Nothing, when it is signed.

        Raises:
            SignatureRefused: signature-malformed, signature-stale or signature-wrong.
        """
        form = _FORM.fullmatch(header)
        if form is None:
            raise SignatureRefused("signature-malformed")
        at = int(form[1])
        is_fresh = abs(self._clock() - at) <= FRESH_FOR_S
        if not is_fresh and not defects.on("signatures-never-end"):
            raise SignatureRefused("signature-stale")
        for secret in self.secrets():
            if hmac.compare_digest(_mac(secret, at, method, path, body), form[2]):
                return
        raise SignatureRefused("signature-wrong")


def read_secrets(path: Path) -> list[bytes]:
    """One or two secrets.

    Raises:
        ValueError: it holds none, too many, or one too short to resist guessing.
    """
    found = [line.strip() for line in path.read_bytes().splitlines() if line.strip()]
    if not 1 <= len(found) <= 2:
        raise ValueError(f"expected one or two lines, got {len(found)}")
    if any(len(secret) < SECRET_BYTES_MIN for secret in found):
        raise ValueError(f"expected secrets of at least {SECRET_BYTES_MIN} bytes")
    return found


def sign(secret: bytes, method: str, path: str, body: bytes, at: int) -> str:
    """The header's value."""
    return f"t={at},v1={_mac(secret, at, method, path, body)}"


def _mac(secret: bytes, at: int, method: str, path: str, body: bytes) -> str:
    text = f"{at}\n{method}\n{path}\n".encode() + body
    return hmac.new(secret, text, hashlib.sha256).hexdigest()
