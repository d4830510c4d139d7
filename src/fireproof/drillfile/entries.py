"""The entries of a game day, each against the model that it wants to be."""

from __future__ import annotations

from typing import Any

from fireproof.drillfile.findings import Findings, Path
from fireproof.drillfile.tree import Broken, Items, Node, Table, child, plain
from fireproof.drillfile.validate import keys_at, validate
from fireproof.drillfile.words import closest
from fireproof.model.gameday import Entry, GameDay, Group

_STAND_IN = "stand-in"  # a name that the model of the whole takes for an entry of its own model
_KEYS = keys_at(Entry, ()) | keys_at(Group, ())


def read_gameday_tree(root: Node, findings: Findings) -> GameDay | None:
    """The game day, or None with what is wrong added."""
    drills = child(root, "drills")
    instead = {"drills": _stand_ins(drills)} if isinstance(drills, Items) else {}
    header = validate(GameDay, root, (), findings, instead=instead)
    found = _entries(drills, ("drills",), findings)
    if header is None or None in found.values():
        return None
    chosen = [found.get(index, entry) for index, entry in enumerate(header.drills)]
    return header.model_copy(update={"drills": tuple(chosen)})


def _stand_ins(items: Items) -> list[Any]:
    """What is no mapping is left to the model of the whole: a name, or something wrong."""
    return [_STAND_IN if isinstance(n, (Table, Broken)) else plain(n) for n in items.nodes]


def _entries(items: Node | None, path: Path, findings: Findings) -> dict[int, Entry | Group | None]:
    """The mappings of a list by their position; None for those that are wrong."""
    nodes = items.nodes if isinstance(items, Items) else ()
    return {
        index: _entry(node, (*path, index), findings)
        for index, node in enumerate(nodes)
        if isinstance(node, Table)
    }


def _entry(table: Table, path: Path, findings: Findings) -> Entry | Group | None:
    wanted = {closest(key, _KEYS) or key for key in table.entries} | set(table.entries)
    parallel = child(table, "parallel")
    if "parallel" not in wanted or (len(path) > 2 and parallel is None):
        return validate(Entry, table, path, findings)
    if len(path) > 2:
        text = "a group cannot stand in a group; a group goes on when all of it has ended"
        findings.add(table.entries["parallel"].key_at, path, text)
        return None
    instead = {"parallel": _stand_ins(parallel)} if isinstance(parallel, Items) else {}
    group = validate(Group, table, path, findings, instead=instead)
    found = _entries(parallel, (*path, "parallel"), findings)
    if group is None or None in found.values():
        return None
    chosen = [found.get(index, entry) for index, entry in enumerate(group.parallel)]
    return group.model_copy(update={"parallel": tuple(chosen)})
