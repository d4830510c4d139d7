"""What has to be installed beside fireproof itself to run a drill."""

from __future__ import annotations

from collections.abc import Iterable

from fireproof.model.drill import Drill
from fireproof.model.environment import Environment

_BARMAN, _AWS = '"barman-cloud"', '"aws-sm:'  # a tool, and a place of secrets, as JSON values


def needed_extras(
    drills: Iterable[Drill], place: Environment | None, *, lab: bool
) -> tuple[str, ...]:
    """Extras of fireproof, by the names that its package gives them.

    Args:
        drills: what will be run.
        place: where, as far as it is known.
        lab: whether that is the built-in lab.
    """
    drills = list(drills)
    text = "".join(one.model_dump_json() for one in (*drills, *([place] if place else [])))
    wanted = {
        "run": True,
        "lab": lab,
        "load": any(drill.load for drill in drills),
        "barman": _BARMAN in text,
        "aws": _AWS in text,
    }
    return tuple(extra for extra, is_wanted in wanted.items() if is_wanted)
