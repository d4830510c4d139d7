"""Two ways to sign an event, and whom they believe."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proving_ground.ledger import cross_sign
from proving_ground.ledger.signing import _hmac, sign, sign_again, signed_by
from support.defective import defective

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(secret=st.binary(max_size=200), body=VALUES)
@example(secret=b"s", body={"\ufb33": 1, "\U0001f600": 2})  # UTF-16 sorts these the other way
@example(secret=b"s", body=[1e21, 1e-7, -0.0, 5e-324, 123456789012345680000.0])
def test_both_ways_sign_alike(secret: bytes, body: Any) -> None:
    """A sender in another language follows the RFCs, not our library."""
    assert sign(secret, "t", "k", body) == sign_again(secret, "t", "k", body)


@given(body=VALUES, other=VALUES)
def test_a_signature_fits_its_event_alone(body: Any, other: Any) -> None:
    """True and 1 are equal to Python and not to JSON."""
    signature = sign(b"s", "t", "k", body)
    same = json.dumps(body, sort_keys=True) == json.dumps(other, sort_keys=True)
    same = same or sign_again(b"s", "t", "k", other) == signature  # 1.0 and 1 are one JSON number

    assert signed_by([b"s"], signature, "t", "k", body) == 0
    assert (signed_by([b"s"], signature, "t", "k", other) == 0) == same
    assert signed_by([b"s"], signature, "u", "k", body) is None
    assert signed_by([b"s"], signature, "t", "l", body) is None


@pytest.mark.parametrize("body", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800"])
def test_what_has_no_canonical_form_is_signed_by_neither(body: Any) -> None:
    """One that signs what the other refuses would be a difference, too."""
    for way in (sign, sign_again):
        with pytest.raises(ValueError, match=r"."):
            way(b"s", "t", "k", body)


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
    ids=["case-1", "case-2", "case-6"],
)
def test_the_hand_made_hmac_is_the_published_one(key: bytes, data: bytes, expected: str) -> None:
    """Source: RFC 4231, 4."""
    assert _hmac(key, data).hex() == expected


def test_any_current_secret_is_believed_and_named() -> None:
    """During a rotation two are; the place says which, so that the old one can be seen to go."""
    signature = sign(b"old", "t", "k", "b")

    assert signed_by([b"new", b"old"], signature, "t", "k", "b") == 1
    assert signed_by([b"new"], signature, "t", "k", "b") is None
    for junk in ("", "é", "\ud800", signature.upper(), signature[:-1]):
        assert signed_by([b"new", b"old"], junk, "t", "k", "b") is None


@pytest.mark.parametrize(("names", "code"), [((), 0), (("signature-ignored",), 1)])
def test_the_comparison_counts_and_can_fail(
    names: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drill reads these counts; with the defect on they must say so."""
    with defective(*names) if names else contextlib.nullcontext():
        assert cross_sign.main(["--count", "50"]) == code
    found = json.loads(capsys.readouterr().out)

    assert found["events"] == found["equal"] == 57
    assert found["tampered"] == 4 * 57
    assert (found["refused"] == found["tampered"]) is (code == 0)
