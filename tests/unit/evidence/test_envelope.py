from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as LibraryEnvelope

from fireproof.errors import MalformedError, VerificationError
from fireproof.evidence import Envelope, canonical_bytes, decode_envelope, pae, verify_envelope
from support.evidence import Bench

# The first is the vector of DSSE protocol.md; the others count by hand.
PAE = [
    (
        "http://example.com/HelloWorld",
        b"hello world",
        b"29 http://example.com/HelloWorld 11 hello ",
    ),
    ("", b"", b"0  0 "),
    ("naïve/type", b"x", b"11 na\xc3\xafve/type 1 x"),
    ("применение/日本", "größe".encode(), b"27 \xd0\xbf"),
]


@pytest.mark.parametrize(("kind", "payload", "text"), PAE)
def test_lengths_count_bytes(kind: str, payload: bytes, text: bytes) -> None:
    """Counting characters makes two different statements share one signature."""
    made = pae(kind, payload)

    assert made.startswith(b"DSSEv1 " + text)
    assert made.endswith(payload)
    assert made == LibraryEnvelope(payload, kind, {}).pae()


@pytest.fixture
def signed(bench: Bench) -> tuple[bytes, Bench]:
    return bench.signer.sign("naïve/type", b'{"a":1}'), bench


def test_an_envelope_comes_back_as_it_was_signed(signed: tuple[bytes, Bench]) -> None:
    """What is verified must be what is read."""
    data, bench = signed
    envelope = decode_envelope(data, "x")

    assert (envelope.payload_type, envelope.payload) == ("naïve/type", b'{"a":1}')
    assert envelope.encode() == data
    assert verify_envelope(envelope, bench.keys, "x").keyid == bench.signer.key_id


def test_every_byte_of_an_envelope_counts(signed: tuple[bytes, Bench]) -> None:
    """Any byte that may change without notice can carry something."""
    data, bench = signed
    unnoticed = []
    for at in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[at] ^= flip
            try:
                verify_envelope(decode_envelope(bytes(changed), "x"), bench.keys, "x")
                unnoticed.append((at, flip))
            except (MalformedError, VerificationError):
                pass

    assert unnoticed == []


def respelt(data: bytes) -> dict[str, Any]:
    """Other spellings of one envelope that lenient readers take for the same."""
    value = json.loads(data)
    dsse = value["dsseEnvelope"]
    signature = dsse["signatures"][0]
    padded = signature["sig"]
    url_safe = padded.replace("+", "-").replace("/", "_")
    last = base64.b64decode(padded)
    return {
        "a line at the end": data + b"\n",
        "indented": json.dumps(value, indent=1).encode(),
        "key order": json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),
        "duplicate key": data.replace(b'{"dsse', b'{"mediaType":"x","dsse', 1),
        "unknown field": canonical_bytes({**value, "note": "x"}),
        "unknown inner field": canonical_bytes(
            {**value, "verificationMaterial": {"publicKey": {"hint": "x", "rawBytes": "x"}}}
        ),
        "a certificate": canonical_bytes(
            {**value, "verificationMaterial": {"certificate": {"rawBytes": "x"}}}
        ),
        "two signatures": canonical_bytes(
            {**value, "dsseEnvelope": {**dsse, "signatures": [signature, signature]}}
        ),
        "no signature": canonical_bytes({**value, "dsseEnvelope": {**dsse, "signatures": []}}),
        "signature of numbers": canonical_bytes(
            {
                **value,
                "dsseEnvelope": {**dsse, "signatures": [{"keyid": signature["keyid"], "sig": 1}]},
            }
        ),
        "base64 with a line break": data.replace(b'"sig":"', b'"sig":"\\n'),
        "base64 without padding": canonical_bytes(
            {**value, "dsseEnvelope": {**dsse, "payload": dsse["payload"].rstrip("=")}}
        ),
        "base64 with stray bits": canonical_bytes(
            {**value, "dsseEnvelope": {**dsse, "payload": "eyJhIjoxfR=="}}
        ),
        "url-safe base64": canonical_bytes(
            {
                **value,
                "dsseEnvelope": {
                    **dsse,
                    "signatures": [
                        {**signature, "sig": "-_-_" if url_safe == padded else url_safe}
                    ],
                },
            }
        ),
        "another media type": canonical_bytes({**value, "mediaType": value["mediaType"] + "x"}),
        "another hint": canonical_bytes(
            {**value, "verificationMaterial": {"publicKey": {"hint": "0" * 64}}}
        ),
        "a list": b"[]",
        "signature with a tail": canonical_bytes(
            {
                **value,
                "dsseEnvelope": {
                    **dsse,
                    "signatures": [
                        {**signature, "sig": base64.b64encode(last + b"\0").decode("ascii")}
                    ],
                },
            }
        ),
    }


def test_no_other_spelling_of_an_envelope_is_taken(signed: tuple[bytes, Bench]) -> None:
    """Go, JavaScript and Python read loose JSON differently; one spelling leaves no room."""
    data, bench = signed

    for how, other in respelt(data).items():
        assert other != data, how
        with pytest.raises((MalformedError, VerificationError)):
            print(how, verify_envelope(decode_envelope(other, "x"), bench.keys, "x"))


def test_an_endless_envelope_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that can be made to swallow gigabytes can be stopped by anybody."""
    monkeypatch.setattr("fireproof.evidence.envelope.MAX_BYTES", 10)

    with pytest.raises(MalformedError, match="more than any envelope"):
        decode_envelope(b" " * 11, "x")


def test_a_stranger_s_key_id_is_printed_safely(bench: Bench) -> None:
    """The id comes from the file; a terminal must not obey it."""
    envelope = Envelope("t", b"", "\x1b[31mroot", b"")

    with pytest.raises(VerificationError, match=r"'\\x1b\[31mroot'.*not trusted"):
        verify_envelope(envelope, bench.keys, "x")


def test_the_right_id_with_another_signature_is_refused(
    signed: tuple[bytes, Bench], tmp_path: Path
) -> None:
    """An id is a label; only the signature counts."""
    data, bench = signed
    envelope = decode_envelope(data, "x")
    forged = Envelope(envelope.payload_type, b"{}", envelope.key_id, envelope.signature)

    with pytest.raises(VerificationError, match="not by key"):
        verify_envelope(forged, bench.keys, "x")
