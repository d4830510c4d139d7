"""Durations, sizes and rates as people write them: always with a unit."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NS |= {"d": 86_400 * 10**9}
_SIZE = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)")
_ISO = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
# Cadences only: a month counts 30 days and a year 365, as freshness is stated in whole days.
_ISO_DAYS = (365, 30, 7, 1)


def parse_duration(text: object) -> int:
    """Nanoseconds of ``90s``, ``1m30s``, ``20ms``, ``1.5h`` or ISO 8601 ``P7D``, ``PT15M``.

    Raises:
        ValueError: when there is no unit, or it is not a duration.
    """
    if isinstance(text, str) and text.startswith("P") and len(text) > 1:
        match = _ISO.fullmatch(text)
        if match and not text.endswith("T") and any(match.groups()):
            numbers = [int(group or 0) for group in match.groups()]
            days = sum(n * d for n, d in zip(numbers[:4], _ISO_DAYS, strict=True))
            hours, minutes, seconds = numbers[4:]
            return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10**9
    elif isinstance(text, str):
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(round(float(number) * _NS[unit]) for number, unit in parts)
    raise ValueError(f"expected a duration such as 90s, 15m or 4h, got {text!r}")


def parse_size(text: object) -> int:
    """Bytes of ``2GiB``, ``500MB`` or ``10kB``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)", str(text))
    if not isinstance(text, str) or not match:
        raise ValueError(f"expected a size such as 500MB or 2GiB, got {text!r}")
    return round(float(match[1]) * _SIZE[match[2]])


def parse_rate(text: object) -> float:
    """Events a second of ``50/s`` or ``300/m``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m)", str(text))
    if not isinstance(text, str) or not match or float(match[1]) == 0:
        raise ValueError(f"expected a rate such as 50/s or 300/m, got {text!r}")
    return float(match[1]) / (60 if match[2] == "m" else 1)


def format_duration(ns: int) -> str:
    """Shortest exact text that ``parse_duration`` reads back."""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if ns and ns % _NS[unit] == 0:
            return f"{ns // _NS[unit]}{unit}"
    return f"{ns}ns"


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
    PlainSerializer(lambda r: f"{r!r}/s".replace(".0/s", "/s"), return_type=str),
    _schema(r"^\d+(\.\d+)?/(s|m)$", "50/s"),
]
