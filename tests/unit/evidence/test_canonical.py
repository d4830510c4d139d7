from __future__ import annotations

import pytest

from fireproof.errors import MalformedError
from fireproof.evidence.canonical import canonical_bytes, differences, parse_canonical

# RFC 8785, appendix B: IEEE 754 doubles and their one spelling.
NUMBERS = [
    (0.0, b"0"),
    (-0.0, b"0"),
    (5e-324, b"5e-324"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"),
    (9007199254740992.0, b"9007199254740992"),
    (295147905179352830000.0, b"295147905179352830000"),
    (1e21, b"1e+21"),
    (1e-6, b"0.000001"),
    (1e-7, b"1e-7"),
    (333333333.3333332, b"333333333.3333332"),
]


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_numbers_are_spelt_as_the_standard_says(number: float, text: bytes) -> None:
    """Another verifier would otherwise compute another digest."""
    assert canonical_bytes(number) == text


def test_keys_are_sorted_by_utf16_and_text_stays_utf8() -> None:
    """RFC 8785, 3.2.3: an astral key sorts before U+FB33, not after."""
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2, "é": "\u2028\n"}) == (
        '{"é":"\u2028\\n","\U0001f600":2,"\ufb33":1}'.encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b'{"a":1.0}',
        b'{"a":-0}',
        b'{"a":1e2}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\xff"}',
        b'{"a":9007199254740993}',
        b'{"a":1e999}',
        b'"\\ud800"',
        b"[" * 100_000,
        b"",
    ],
)
def test_every_other_spelling_is_refused(data: bytes) -> None:
    """A byte that may change without changing the value could be changed unnoticed."""
    with pytest.raises(MalformedError, match=r"^x\.json: "):
        parse_canonical(data, "x.json")


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"clocks": [{"real_ns": 1_700_000_000_000_000_000}]}, r"clocks\.0\.real_ns"),
        (float("nan"), "value"),
        ({1: 2}, "value"),
        ("\ud800", "value"),
    ],
)
def test_what_json_cannot_hold_exactly_is_refused_with_its_place(value: object, where: str) -> None:
    """Nanoseconds since 1970 lose digits in every other reader; the engine must hear of it."""
    with pytest.raises(MalformedError, match=f"^{where}: "):
        canonical_bytes(value)


def test_differences_name_the_place() -> None:
    """An auditor asks which number, not whether."""
    one = {"objectives": [{"verdict": "met", "n": 1}], "outcome": "passed", "long": "x" * 200}
    other = {"objectives": [{"verdict": "missed", "n": True}], "outcome": "passed"}

    assert differences(one, one) == []
    assert differences([1], [1, 2]) == ["value: [1] is stored, [1, 2] is recomputed"]
    found = differences(one, other)
    assert found[1:] == [
        "objectives.0.n: 1 is stored, True is recomputed",
        "objectives.0.verdict: 'met' is stored, 'missed' is recomputed",
    ]
    assert found[0].startswith("long: 'xxx")
    assert len(differences({str(i): i for i in range(50)}, {})) == 8
