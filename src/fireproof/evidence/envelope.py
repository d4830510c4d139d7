"""The envelope: a statement and one signature, as a Sigstore bundle v0.3 around a DSSE envelope.

Stored bytes are canonical. Whatever does not re-encode to the very same bytes is refused, so no
byte of an envelope can change without being noticed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fireproof.errors import MalformedError, VerificationError
from fireproof.evidence.canonical import MAX_BYTES, canonical_bytes, parse_canonical_object

if TYPE_CHECKING:
    from securesystemslib.signer import Key

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Bytes that the key signs for a payload.

    Args:
        payload_type: media type; lengths count its UTF-8 bytes, not its characters.
        payload: the statement exactly as stored, never re-serialised.

    Returns:
        ``DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload``, lengths in decimal.

    Source: DSSE protocol.md, "Signature Definition", PAE.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One payload, one signature, and the id of the key that should have made it."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    def encode(self) -> bytes:
        """Canonical bytes of the Sigstore bundle that carries this envelope."""
        return canonical_bytes(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": self.key_id}},
                "dsseEnvelope": {
                    "payload": base64.b64encode(self.payload).decode("ascii"),
                    "payloadType": self.payload_type,
                    "signatures": [
                        {
                            "keyid": self.key_id,
                            "sig": base64.b64encode(self.signature).decode("ascii"),
                        }
                    ],
                },
            }
        )


def decode_envelope(data: bytes, name: str) -> Envelope:
    """Envelope held in the bytes of a ``*.sigstore.json`` file; checks form, not the signature.

    Raises:
        MalformedError: any unknown or missing name, loose base64, more than one signature, or
            bytes that differ from the canonical encoding.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"{name}: {len(data)} bytes is more than any envelope holds")
    bundle = parse_canonical_object(data, name)
    _fields(bundle, {"dsseEnvelope", "mediaType", "verificationMaterial"}, name)
    if bundle["mediaType"] != MEDIA_TYPE:
        raise MalformedError(f"{name}: expected media type {MEDIA_TYPE}")
    material = _fields(bundle["verificationMaterial"], {"publicKey"}, name)
    hint = _text(_fields(material["publicKey"], {"hint"}, name)["hint"], "hint", name)
    dsse = _fields(bundle["dsseEnvelope"], {"payload", "payloadType", "signatures"}, name)
    signatures = dsse["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise MalformedError(f"{name}: expected exactly one signature")
    signature = _fields(signatures[0], {"keyid", "sig"}, name)
    if signature["keyid"] != hint:
        raise MalformedError(f"{name}: keyid and hint name different keys")
    found = Envelope(
        payload_type=_text(dsse["payloadType"], "payloadType", name),
        payload=_base64(dsse["payload"], "payload", name),
        key_id=hint,
        signature=_base64(signature["sig"], "sig", name),
    )
    if found.encode() != data:
        raise MalformedError(f"{name}: differs from its canonical encoding")
    return found


def verify_envelope(envelope: Envelope, keys: Mapping[str, Key], name: str) -> Key:
    """Trusted key that made the signature.

    Raises:
        VerificationError: signed by a key that is not among ``keys``, or not signed at all.
    """
    from securesystemslib.exceptions import UnverifiedSignatureError

    from fireproof.evidence.signers import local_signers

    key = keys.get(envelope.key_id)
    if key is None:
        known = ", ".join(short_id(key_id) for key_id in sorted(keys)) or "none"
        raise VerificationError(
            f"{name}: signed by key {short_id(envelope.key_id)}, which is not trusted "
            f"(trusted: {known}); a key is trusted by --key FILE or in the trust folder"
        )
    signed = local_signers().Signature(envelope.key_id, envelope.signature.hex())
    try:
        key.verify_signature(signed, pae(envelope.payload_type, envelope.payload))
    except UnverifiedSignatureError as error:
        text = f"{name}: the signature is not by key {short_id(envelope.key_id)} over this payload"
        raise VerificationError(text) from error
    return key


def short_id(key_id: str) -> str:
    """Start of a key id, safe to print: it may come from a file that somebody changed."""
    start = key_id[:16]
    return start if start.isalnum() and start.isascii() else ascii(start)


def _fields(value: Any, names: set[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        got = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise MalformedError(f"{where}: expected the fields {sorted(names)}, got {got}")
    return value


def _text(value: Any, field: str, where: str) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{where}: {field}: expected text, got {type(value).__name__}")
    return value


def _base64(value: Any, field: str, where: str) -> bytes:
    """Bytes of strict base64: padded, no other alphabet, no stray bits in the last character."""
    text = _text(value, field, where)
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{where}: {field}: not base64: {error}") from error
    if base64.b64encode(found).decode("ascii") != text:
        raise MalformedError(f"{where}: {field}: base64 with stray bits")
    return found
