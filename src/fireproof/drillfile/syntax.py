"""What the YAML parser could not read, in words that name the cure."""

from __future__ import annotations

import re

import yaml

from fireproof.drillfile.findings import At

_REFERENCE = re.compile(r"[:,-]\s+\{[a-z][a-z0-9-]*\.[a-z0-9_-]+\}")
_HINTS = {
    "tab character": "a tab cannot indent; use spaces",
    "mapping values are not allowed": "unexpected ':'; indent it as a key, or quote the whole text",
    "could not find expected ':'": "expected ':' after the key",
    "did not find expected '-' indicator": "expected '- ' as in the items before, or less indent",
    "did not find expected key": "expected a key here; look at the indent, or the quotes before it",
    "unexpected end of stream": "the quote is never closed",
    "unknown escape character": "unknown escape; double the backslash or use single quotes",
}


def syntax_problem(text: str, err: yaml.MarkedYAMLError) -> tuple[At, str]:
    """Position and wording of a syntax error."""
    problem, context = err.problem or "", err.context or ""
    mark = err.problem_mark or err.context_mark
    if mark is None:
        return At(1, 1), f"not valid YAML: {problem}"
    lines = text.splitlines()
    at_end = mark.line >= len(lines)
    if (at_end or "could not find expected ':'" in problem) and err.context_mark:
        mark = err.context_mark  # where the unfinished thing starts, not where the text ends
    mark_line = min(mark.line, max(len(lines) - 1, 0))
    line = lines[mark_line] if lines else ""
    at = At(mark_line + 1, (mark.column if mark_line == mark.line else len(line)) + 1)
    if _REFERENCE.search(line[: at.column]):
        return at, "text that starts with '{' needs quotes around all of it"
    for known, said in _HINTS.items():
        if known in problem:
            return at, said
    if "cannot start any token" in problem:
        character = line[at.column - 1 : at.column]
        if character == "\t":
            return at, _HINTS["tab character"]
        return at, f"{character!r} cannot start a value; put the text in quotes"
    if at_end and "flow" in context:
        bracket = {"sequence": "']'", "mapping": "'}'"}.get(context.rpartition(" ")[2])
        return at, f"the closing {bracket or 'bracket or brace'} is missing"
    expected = problem.removeprefix("did not find ")
    if expected != problem and "flow" in context and err.context_mark:
        opened = At(err.context_mark.line + 1, err.context_mark.column + 1)
        return at, f"{expected}; the bracket of {opened.line}:{opened.column} is still open"
    return at, f"not valid YAML: {problem}" + (f" {context}" if context else "")
