"""How a problem is worded: what was expected, what came, what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from fireproof.drillfile.findings import SHOWN, shown
from fireproof.drillfile.tree import Broken, Items, Node, Scalar

_LIKE = 0.65  # difflib ratio: catches one slip in five letters, not another word
_LISTED = 12  # more known words than this do not help on one line


def got(node: Node) -> str:
    """What stands in the file, in words."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            return shown(node.value)
        return "nothing" if node.value is None else node.text
    if isinstance(node, Items):
        return "a list" if node.nodes else "an empty list"
    return "something unreadable" if isinstance(node, Broken) else "a mapping"


def either(words: Iterable[str]) -> str:
    """``a, b or c``, each word once."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last


def _plainly(word: str) -> str:
    return word.lower().replace("_", "-").replace(" ", "-")


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches  # 2 ms, and only when something is wrong

    words = {_plainly(candidate): candidate for candidate in known if candidate != word}
    matches = get_close_matches(_plainly(word)[:100], words, n=1, cutoff=_LIKE)
    return words[matches[0]] if matches else None


def suggestion(word: str, known: Iterable[str], likely: Iterable[str] | None = None) -> str:
    """``; did you mean 'x'?``, or the known words when there are few, or nothing.

    Args:
        word: what came.
        known: what could have come.
        likely: those of the known words that may have been meant; by default all.
    """
    candidates = sorted({candidate for candidate in known if len(candidate) <= SHOWN})
    match = closest(word, candidates if likely is None else likely)
    if match is not None:
        return f"; did you mean {match!r}?"
    return f"; known here: {', '.join(candidates)}" if 0 < len(candidates) <= _LISTED else ""
