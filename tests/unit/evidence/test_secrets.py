"""Finding and taking out known secrets."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fireproof.evidence.secrets import SHORTEST, Needles

SECRET = 'correct-horse "battery" & stäple/+?'


@pytest.mark.parametrize("before", ["", "u:", "user:"])
@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ("raw", lambda text: text.encode()),
        ("base64", lambda text: base64.b64encode(text.encode())),
        ("base64", lambda text: base64.urlsafe_b64encode(text.encode())),
        ("hex", lambda text: text.encode().hex().encode()),
        ("hex", lambda text: text.encode().hex().upper().encode()),
        ("url", lambda text: quote(text, safe="").encode()),
        ("url", lambda text: quote_plus(text).encode()),
        ("url", lambda text: quote(text, safe="").lower().encode()),
        ("json", lambda text: json.dumps({"msg": text}).encode()),
        ("xml", lambda text: quoteattr(text, {'"': "&quot;"}).encode()),
    ],
    ids=["raw", "base64", "base64url", "hex", "HEX", "url", "url-plus", "url-lower", "json", "xml"],
)
def test_a_secret_is_found_in_every_form_it_travels_in(
    tmp_path: Path, rule: str, written: object, before: str
) -> None:
    """Basic authentication encodes user and password as one text, so its base64 is shifted."""
    assert callable(written)
    (tmp_path / "data").mkdir()
    data = b"before " + written(before + SECRET + "zz") + b" after"
    (tmp_path / "data" / "out.txt").write_bytes(data)

    (leak, *_) = Needles([SECRET]).scan(tmp_path)

    assert (leak.path, leak.rule, leak.count) == ("data/out.txt", rule, 1)
    assert not Needles([SECRET]).found(Needles([SECRET]).redact(data))


def test_ordinary_text_and_no_secrets_are_left_alone(tmp_path: Path) -> None:
    """A scan that cries at everything would be switched off."""
    (tmp_path / "plan.json").write_bytes(b'{"drill":"correct-horse"}')
    (tmp_path / "empty").touch()

    assert Needles([SECRET]).scan(tmp_path) == []
    assert Needles(()).scan(tmp_path) == []
    assert Needles(()).redact(b"abc") == b"abc"


def test_the_name_of_a_file_is_looked_at_and_never_told(tmp_path: Path) -> None:
    """A report that quotes the secret would be the leak."""
    (tmp_path / "backup-s3cr3t-s3cr3t.txt").write_bytes(b"x")

    (leak,) = Needles(["s3cr3t-s3cr3t"]).scan(tmp_path)

    assert str(leak) == "backup-[redacted].txt (its name): raw form of a secret, once"


def test_occurrences_are_counted(tmp_path: Path) -> None:
    """Whoever cleans up must know when they are done."""
    (tmp_path / "log").write_bytes(b"s3cr3t-s3cr3t " * 3)

    (leak,) = Needles(["s3cr3t-s3cr3t"]).scan(tmp_path)

    assert str(leak) == "log: raw form of a secret, 3 times"


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=SHORTEST),
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
)
@example(secret="a" * 8, before=b"a" * 5, after=b"a" * 20)
def test_nothing_of_it_is_left_after_redaction(secret: str, before: bytes, after: bytes) -> None:
    """Whatever stands around it, overlapping copies of itself included."""
    needles = Needles([secret])
    encoded = base64.b64encode(before + secret.encode() + after)

    for data in (before + secret.encode() + after, encoded):
        assert needles.found(data)
        assert secret.encode() not in needles.redact(data)


def test_a_file_is_redacted_on_its_way(tmp_path: Path) -> None:
    """Outputs of many megabytes are copied, not loaded."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * (1 << 20) + b"s3cr3t-s3cr3t" + b"y" * (1 << 20))

    Needles(["s3cr3t-s3cr3t"]).copy_redacted(source, target)

    assert target.read_bytes() == b"x" * (1 << 20) + b"[redacted]" + b"y" * (1 << 20)
