"""What a person reads of a game day's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fireproof.cli.render import nearby, shorten

_MARK = {"met": "met", "missed": "MISSED", "inconclusive": "UNKNOWN"}


def drill_lines(judgement: dict[str, Any]) -> list[str]:
    """Verdict, name, outcome and place on the timeline of every drill, in columns."""
    rows = []
    for drill in judgement["drills"]:
        ended = drill["ended_s"] or "?"
        when = f"{drill['started_s']} s to {ended} s" if drill["started_s"] else ""
        said = drill["outcome"] or shorten(drill["why"], 80)
        rows.append((_MARK[drill["verdict"]], drill["name"], said, when))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return lines


def tell(name: str, result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The end of a game day, for people."""
    judgement = result["judgement"]
    say("")
    say(f"game day {name}: {judgement['outcome'].upper()}  {shorten(judgement['reason'])}")
    say("")
    for line in drill_lines(judgement):
        say(f"  {line}")
    for objective in judgement.get("objectives", ()):
        say(f"  {_MARK[objective['verdict']]}  {objective['name']}  {objective['reason']}")
    say("")
    if result["bundle"]:
        say(f"  bundle    {nearby(result['bundle'])}")
        say(f"  identity  sha256:{result['identity']}")
        say(f"  check it  fireproof verify {nearby(result['bundle'])}")
    else:
        say(f"  NOT SEALED: {result.get('unsealed')}")
        say(f"  the records are in {result['folder']}; once the cause is gone:")
        say(f"  fireproof recover {result['folder']}")
