"""Values that steps save, and the texts that use them."""

from __future__ import annotations

from collections.abc import Container, Iterable

from fireproof.drillfile.drills import Draft
from fireproof.drillfile.findings import At, Findings, Path
from fireproof.drillfile.placed import place
from fireproof.drillfile.tree import Items, Node, Scalar, Table, child
from fireproof.drillfile.uses import PlacedUse
from fireproof.model.environment import references


def check_saved(draft: Draft, findings: Findings) -> None:
    saved: dict[str, At] = {}
    for probe in draft.probes:
        for path, text in _texts(probe.table, probe.path):
            _uses_saved(text, path, {}, "probes start before any step", findings)
    for load in draft.loads:
        for path, text in _texts(load.table, load.path):
            _uses_saved(text, path, {}, "a load takes no value of a step", findings)
    for use in draft.every_use():
        for path, text in _texts(use.table, use.path):
            _uses_saved(text, path, saved, "no earlier step saves it", findings)
        name = _saves(use)
        at = place(use.table, "save")
        if name is not None and name in saved:
            text_ = f"{name!r} is saved twice; first in line {saved[name].line}"
            findings.add(at, (*use.path, "save"), text_)
        elif name is not None:
            saved[name] = at


def _saves(use: PlacedUse) -> str | None:
    """Name under which a step keeps its value; some kinds have a default for it."""
    node = child(use.table, "save")
    name = node.value if isinstance(node, Scalar) else None
    if name is None and use.use is not None:
        name = use.use.params.get("save")
    return name if isinstance(name, str) else None


def _texts(node: Node, path: Path) -> Iterable[tuple[Path, Scalar]]:
    """Every text below a node with its path."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        yield path, node
    elif isinstance(node, Items):
        for index, item in enumerate(node.nodes):
            yield from _texts(item, (*path, index))
    elif isinstance(node, Table):
        for key, entry in node.entries.items():
            yield from _texts(entry.node, (*path, key))


def _uses_saved(
    text: Scalar, path: Path, saved: Container[str], why: str, findings: Findings
) -> None:
    for owner, key in references(text.text) if "{saved." in text.text else ():
        if owner == "saved" and key not in saved:
            reference = "{saved." + key + "}"
            findings.add(text.at, path, f"{reference!r} has no value here: {why}")
