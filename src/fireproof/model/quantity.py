"""Durations, sizes and rates as people write them: always with a unit."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NS |= {"d": 86_400 * 10**9}
_SIZE = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LONGEST = 40  # characters; nobody's quantity is longer, and every number below stays exact
_MOST_NS = 100 * 365 * 86_400 * 10**9  # a century; sums of a few still fit 64-bit clocks
_SLOWEST, _FASTEST = 0.001, 1e6  # events a second; no probe or load of ours goes beyond
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", re.ASCII)
_SIZED = re.compile(r"(\d+(?:\.\d+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_SHARED = re.compile(r"(\d+(?:\.\d+)?) ?%", re.ASCII)
_RATED = re.compile(r"(\d+(?:\.\d+)?)/(s|m)", re.ASCII)
_ISO = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.ASCII,
)
# Cadences only: a month counts 30 days and a year 365, as freshness is stated in whole days.
_ISO_DAYS = (365, 30, 7, 1)


def parse_duration(text: object) -> int:
    """Nanoseconds of ``90s``, ``1m30s``, ``20ms``, ``1.5h`` or ISO 8601 ``P7D``, ``PT15M``.

    Raises:
        ValueError: when there is no unit, it is not a duration, or longer than a century.
    """
    found = _parse_ns(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"expected a duration such as 90s, 15m or 4h, got {_shown(text)}")
    if found > _MOST_NS:
        raise ValueError(f"expected a duration of at most 36500d, got {_shown(text)}")
    return found


def _parse_ns(text: str) -> int | None:
    if text.startswith("P"):
        match = _ISO.fullmatch(text)
        if match and not text.endswith("T") and any(match.groups()):
            numbers = [int(group or 0) for group in match.groups()]
            days = sum(n * d for n, d in zip(numbers[:4], _ISO_DAYS, strict=True))
            hours, minutes, seconds = numbers[4:]
            return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10**9
        return None
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(round(Fraction(number) * _NS[unit]) for number, unit in parts)


def _shown(value: object) -> str:
    """A user's value as the file has it, cut to fit a line."""
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, (list, tuple, dict)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value[: _LONGEST + 20] if isinstance(value, str) else value)


def parse_size(text: object) -> int:
    """Bytes of ``2GiB``, ``500MB`` or ``10kB``."""
    match = _SIZED.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if not match:
        raise ValueError(f"expected a size such as 500MB or 2GiB, got {_shown(text)}")
    return round(Fraction(match[1]) * _SIZE[match[2]])


def parse_rate(text: object) -> float:
    """Events a second of ``50/s`` or ``300/m``."""
    match = _RATED.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if not match or float(match[1]) == 0:
        raise ValueError(f"expected a rate such as 50/s or 300/m, got {_shown(text)}")
    rate = float(match[1]) / (60 if match[2] == "m" else 1)
    if not _SLOWEST <= rate <= _FASTEST:
        raise ValueError(f"expected a rate from 0.001/s to 1000000/s, got {_shown(text)}")
    return rate


def parse_share(text: object) -> float:
    """Per cent of ``0.1%``."""
    match = _SHARED.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if not match or float(match[1]) > 100:
        raise ValueError(f"expected a share such as 0.1%, got {_shown(text)}")
    return float(match[1])


def format_share(per_cent: float) -> str:
    """Text without exponent that ``parse_share`` reads back."""
    return f"{Decimal(repr(per_cent)).normalize():f}%"


def format_duration(ns: int) -> str:
    """Shortest exact text that ``parse_duration`` reads back."""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if ns and ns % _NS[unit] == 0:
            return f"{ns // _NS[unit]}{unit}"
    return f"{ns}ns" if ns else "0s"


def format_rate(per_second: float) -> str:
    """Text without exponent that ``parse_rate`` reads back."""
    return f"{Decimal(repr(per_second)).normalize():f}/s"


def format_seconds(seconds: float) -> str:
    """A measured time for people: three figures that matter."""
    if seconds == float("inf"):
        return "never"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.2f} s"
    return f"{int(seconds // 60)} m {seconds % 60:.0f} s"


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


def _keep_ns(value: object) -> int:
    return parse_duration(value)


Duration = Annotated[
    int,  # nanoseconds
    BeforeValidator(_keep_ns),
    PlainSerializer(format_duration, return_type=str),
    _schema(r"^(P.+|(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+)$", "90s"),
]
Size = Annotated[
    int,  # bytes
    BeforeValidator(parse_size),
    PlainSerializer(lambda n: f"{n}B", return_type=str),
    _schema(r"^\d+(\.\d+)? ?(B|kB|MB|GB|KiB|MiB|GiB)$", "2GiB"),
]
Rate = Annotated[
    float,  # events a second
    BeforeValidator(parse_rate),
    PlainSerializer(format_rate, return_type=str),
    _schema(r"^\d+(\.\d+)?/(s|m)$", "50/s"),
]
Share = Annotated[
    float,  # per cent
    BeforeValidator(parse_share),
    PlainSerializer(format_share, return_type=str),
    _schema(r"^\d+(\.\d+)? ?%$", "0.1%"),
]
