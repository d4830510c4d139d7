"""A key pair of somebody who approves plans."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def make_key(private: Path, public: Path) -> Path:
    """Write both halves; the path of the private one."""
    key = ec.generate_private_key(ec.SECP256R1())
    for path in (private, public):
        path.parent.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private.touch(0o600)
    private.write_bytes(pem)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private


def make_approver(evidence: Path, name: str) -> Path:
    """Somebody whose approvals count in this evidence folder; the private key."""
    public = evidence / "trust" / "approvers" / f"{name}.pub.pem"
    return make_key(evidence.parent / "people" / f"{name}.pem", public)
