"""Pydantic's errors in our words: what was expected, and the next move where it is plain.

Its own texts hide the value and speak of Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from fireproof.drillfile.tree import Node, Scalar, Table
from fireproof.drillfile.words import closest

_Context = Mapping[str, Any]


def _entries(count: object) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


_PATTERNS = {  # the start of a pattern in the model: what it asks for
    r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$": "lower-case words joined by hyphens, such as ledger-db",
    r"^[a-z0-9.-]+:": "a control such as soc2:A1.3",
    r"^\d{1,15}": "growth an hour such as 10MiB/h or 5/h",
    r"\S": "some text",
    r"^([01]\d": "a time of day such as 09:30",
    r"^[a-z][a-z0-9-]*\.errors": "'PROBE.errors > 0' or 'PROBE.errors > 0 before fault'",
}
_EXPECTED: dict[str, Callable[[_Context], str]] = {
    "string_type": lambda _: "text",
    "int_type": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "bool_parsing": lambda _: "true or false",
    "float_parsing": lambda _: "a number",
    "bool_type": lambda _: "true or false",
    "none_required": lambda _: "nothing",
    "list_type": lambda _: "a list",
    "tuple_type": lambda _: "a list",
    "set_type": lambda _: "a list",
    "frozen_set_type": lambda _: "a list",
    "dict_type": lambda _: "a mapping",
    "mapping_type": lambda _: "a mapping",
    "model_type": lambda _: "a mapping",
    "path_type": lambda _: "a path",
    "literal_error": lambda context: _literals(str(context["expected"])),
    "enum": lambda context: _literals(str(context["expected"])),
    "too_short": lambda context: f"at least {_entries(context['min_length'])}",
    "too_long": lambda context: f"at most {_entries(context['max_length'])}",
    "string_too_short": lambda context: f"at least {context['min_length']} characters",
    "string_too_long": lambda context: f"at most {context['max_length']} characters",
    "greater_than": lambda context: f"more than {context['gt']}",
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "less_than": lambda context: f"less than {context['lt']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
    "string_pattern_mismatch": lambda context: _pattern(str(context["pattern"])),
}


def _literals(listed: str) -> str:
    """Pydantic's ``'a', 'b' or 'c'`` without its quotes."""
    return listed.replace("'", "")


def _pattern(pattern: str) -> str:
    for start, meaning in _PATTERNS.items():
        if pattern.startswith(start):
            return meaning
    return f"text like {pattern}"


def expected(error: ErrorDetails) -> str | None:
    """What should stand there, or None when the error has its own wording."""
    known = _EXPECTED.get(error["type"])
    return known(error.get("ctx", {})) if known else None


def own_text(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    text = str(cause) if cause else error["msg"].replace("Input should be", "expected")
    return text[:1].lower() + text[1:].rstrip(".")


_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?|true|false")
_REFERENCE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9_-]+")


def cure(node: Node, error: ErrorDetails) -> str:
    """The next move, where it is plain."""
    kind = error["type"]
    if kind == "string_type" and isinstance(node, Scalar) and node.value is not None:
        return "; put it in quotes"
    if kind == "string_type" and isinstance(node, Table) and len(node.entries) == 1:
        key = next(iter(node.entries))
        return f'; write "{{{key}}}" with its quotes' if _REFERENCE.fullmatch(key) else ""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    if kind in ("int_type", "float_type", "bool_type"):
        return "; remove the quotes" if _NUMBER.fullmatch(node.text) else ""
    if kind in ("literal_error", "enum"):
        words = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        match = closest(node.value, words)
        return f"; did you mean {match!r}?" if match else ""
    if kind == "string_pattern_mismatch" and expected(error) == next(iter(_PATTERNS.values())):
        name = re.sub(r"[^a-z0-9]+", "-", node.value.lower()).strip("-")
        return f"; did you mean {name!r}?" if re.match(r"[a-z]", name) else ""
    return ""
