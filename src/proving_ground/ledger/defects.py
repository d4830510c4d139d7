"""Known defects that can be switched on, so that the drills themselves can be tested.

Each stands here once, and once in the code as ``if defects.on(NAME)``. Stdlib only.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from fireproof.errors import EnvironmentRefusal


@dataclass(frozen=True, slots=True)
class Defect:
    """One way to be wrong."""

    process: str  # the part of ``python -m proving_ground PART`` it lives in
    breaks: str
    noticed_by: str  # the behaviour that a drill must find broken, with its checklist row


DEFECTS: dict[str, Defect] = {
    # ledger: topology
    "ready-without-database": Defect(
        "ledger", "readyz says ready without asking the database", "readiness tells the truth (125)"
    ),
    "no-request-id": Defect(
        "ledger", "each request gets a new id, whatever the client sent", "correlation ids (132)"
    ),
    # ledger: access
    # ledger: engine
    # identity
    # engine
}

_on: set[str] = set()


def on(name: str) -> bool:
    """Whether this process has the defect."""
    if name not in DEFECTS:
        raise KeyError(name)
    return name in _on


def take(argv: list[str], process: str) -> list[str]:
    """Switch on what ``--defect NAME`` names; the other words.

    Raises:
        SystemExit: 2, with the nearest name, for one that such a process does not have.
    """
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word != "--defect":
            rest.append(word)
            continue
        name = next(words, "")
        ours = sorted(each for each, defect in DEFECTS.items() if defect.process == process)
        if name not in ours:
            raise SystemExit(_complain(f"{process}: --defect", name, ours))
        _on.add(name)
    return rest


def parse_list(text: str, where: str) -> list[str]:
    """Names of a list such as ``a,b``, sorted, each once.

    Raises:
        EnvironmentRefusal: for a name that no process has.
    """
    names = sorted({word.strip() for word in text.split(",") if word.strip()})
    wrong = [_words(where, name, sorted(DEFECTS)) for name in names if name not in DEFECTS]
    if wrong:
        raise EnvironmentRefusal("; ".join(wrong))
    return names


def _words(where: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)
    return f"{where}: {name!r} is not a known defect; {hint}"


def _complain(where: str, name: str, known: list[str]) -> int:
    import sys

    print(_words(where, name, known), file=sys.stderr)
    return 2
