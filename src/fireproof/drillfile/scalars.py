"""What a plain word means: the core schema of YAML 1.2, and no more.

YAML 1.1 reads ``owner: no`` as false, ``rto: 15:00`` as 900 and ``0o17`` as text.

Source: YAML 1.2.2, 10.3.2 "Tag Resolution".
"""

from __future__ import annotations

import math
import re

Value = None | bool | int | float | str

_WORDS: dict[str, Value] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_START = frozenset("+-.0123456789")
_LARGEST = 2**53 - 1  # every JSON reader keeps whole numbers exactly up to here (RFC 8785)
_LONGEST = 40  # characters; int() of thousands of digits is slow, then refused by Python


def resolve(text: str) -> Value:
    """Value of a plain scalar.

    Raises:
        ValueError: a number that not every reader of a plan would read alike.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAY_START:
        return text
    if _INT.fullmatch(text):
        number = _whole(text) if len(text) <= _LONGEST else _LARGEST + 1
        if abs(number) > _LARGEST:
            raise ValueError(f"expected a number of at most {_LARGEST} either way")
        return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError("expected a finite number")
        return value
    if _ENDLESS.fullmatch(text):
        raise ValueError("expected a finite number")
    return text


def _whole(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
