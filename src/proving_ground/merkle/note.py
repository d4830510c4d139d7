"""A signed checkpoint: one text that says how large the tree was and what its root was.

The format is the signed note of C2SP tlog-checkpoint with three extension lines::

    ledger.example/lab
    2551
    qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=
    number 170
    previous 5c1e...
    time 2026-01-01T00:00:00.000Z

    — ledger.example/lab dlB...

``previous`` is the sha256 of the whole note before, so that no checkpoint can be left out or moved
without notice; zeros for the first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from proving_ground.merkle.refusal import Refused

ORIGIN = "ledger.proving-ground"
FIRST = "0" * 64  # what the first checkpoint says of the one before
_ED25519 = b"\x01"  # signed note: the algorithm's byte in the key id
_BODY = re.compile(
    r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9]\d{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"number (?P<number>[1-9]\d{0,18})\nprevious (?P<previous>[0-9a-f]{64})\n"
    r"time (?P<made_at>[0-9TZ:.-]{1,40})\n",
    re.ASCII,
)
_SIGNATURE = re.compile(r"\u2014 (?P<name>[^\s+]+) (?P<value>[A-Za-z0-9+/]+=*)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the log at one size."""

    origin: str
    size: int
    root: bytes
    number: int
    previous: str
    made_at: str

    def body(self) -> str:
        """Text that is signed."""
        root = base64.b64encode(self.root).decode("ascii")
        return (
            f"{self.origin}\n{self.size}\n{root}\n"
            f"number {self.number}\nprevious {self.previous}\ntime {self.made_at}\n"
        )


def note_digest(note: str) -> str:
    """What the next checkpoint says of this one."""
    return hashlib.sha256(note.encode()).hexdigest()


def sign_note(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The whole note, signed under the name of its origin."""
    body = checkpoint.body()
    if not _BODY.fullmatch(body):
        raise ValueError(f"not a checkpoint: {checkpoint!r}")
    value = key_id(checkpoint.origin, key.public_key()) + key.sign(body.encode())
    return f"{body}\n\u2014 {checkpoint.origin} {base64.b64encode(value).decode('ascii')}\n"


def parse_note(note: str) -> Checkpoint:
    """What a note states, believed or not.

    Raises:
        Refused: ``malformed``.
    """
    return _taken_apart(note)[0]


def verify_note(note: str, key: Ed25519PublicKey, origin: str) -> Checkpoint:
    """What a note states, signed by that key for that log.

    Raises:
        Refused: ``malformed``, ``key`` or ``signature``.
    """
    checkpoint, name, value = _taken_apart(note)
    if checkpoint.origin != origin or name != origin:
        raise Refused(
            "key", f"a checkpoint of {checkpoint.origin!r} by {name!r}, not of {origin!r}"
        )
    if value[:4] != key_id(origin, key):
        raise Refused("key", f"checkpoint {checkpoint.number} is signed by another key")
    try:
        key.verify(value[4:], checkpoint.body().encode())
    except InvalidSignature:
        raise Refused(
            "signature", f"checkpoint {checkpoint.number} has a signature of something else"
        ) from None
    return checkpoint


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Four bytes that hint which key signed. Source: C2SP signed-note, "Signatures"."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]


def _taken_apart(note: str) -> tuple[Checkpoint, str, bytes]:
    body, gap, signature = note.partition("\n\n")
    found = _BODY.fullmatch(body + "\n") if gap else None
    signed = _SIGNATURE.fullmatch(signature)
    if not found or not signed:
        raise Refused("malformed", "not a signed checkpoint")
    try:
        root = base64.b64decode(found["root"], validate=True)
        value = base64.b64decode(signed["value"], validate=True)
    except binascii.Error as err:
        raise Refused("malformed", f"not a signed checkpoint: {err}") from err
    number, size = int(found["number"]), int(found["size"])
    checkpoint = Checkpoint(
        found["origin"], size, root, number, found["previous"], found["made_at"]
    )
    if checkpoint.body() != body + "\n":  # base64 has spare bits: one root, one spelling
        raise Refused("malformed", "not a checkpoint in its one spelling")
    return checkpoint, signed["name"], value


def make_key(private: Path, public: Path) -> None:
    """A new key pair as PEM files; the private one is its owner's alone."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(pem)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The engine's key.

    Raises:
        ValueError: it cannot be read, others can read it, or it is no Ed25519 key.
    """
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ValueError(f"{path}: others may use this private key; chmod 600 it")
            key = load_pem_private_key(file.read(), None)
    except (OSError, TypeError, UnsupportedAlgorithm) as err:
        raise ValueError(f"{path}: no usable private key: {err}") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: expected an Ed25519 private key")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The key that clients trust.

    Raises:
        ValueError: it cannot be read or is no Ed25519 key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, UnsupportedAlgorithm) as err:
        raise ValueError(f"{path}: no usable public key: {err}") from err
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: expected an Ed25519 public key")
    return key
