"""Plain words of YAML 1.2."""

from __future__ import annotations

import pytest

from fireproof.drillfile.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("off", "off"),
        ("n", "n"),
        ("12", 12),
        ("-012", -12),
        ("+0", 0),
        ("0o17", 15),
        ("0o18", "0o18"),
        ("0xfF", 255),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("15:00", "15:00"),
        ("2026-11-20", "2026-11-20"),
        ("1.5", 1.5),
        ("-.5e1", -5.0),
        ("1.", 1.0),
        ("1e3", 1000.0),
        (".", "."),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("٣", "٣"),
        ("9007199254740991", 2**53 - 1),
    ],
)
def test_a_plain_word_means_what_yaml_1_2_says(text: str, value: object) -> None:
    """``owner: no`` is a person's team, not false; ``rto: 15:00`` is no number of seconds."""
    resolved = resolve(text)

    assert (resolved, type(resolved)) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["9007199254740992", "-9007199254740992", "9" * 5000, "1e999", ".inf", "-.INF", ".nan"]
)
def test_a_number_that_readers_would_not_agree_on_is_refused(text: str) -> None:
    """A plan is JSON: other readers would round it or stop at it, and its digest with it."""
    with pytest.raises(ValueError, match="expected a"):
        resolve(text)
