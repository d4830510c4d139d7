"""``{param.name}`` anywhere in a drill file becomes the value that this run has.

Filled into the tree before anything is validated, so that a param may stand for a number or a
duration as well as for text, and a bad value is told at its use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fireproof.drillfile.findings import At, Findings, Path, shown
from fireproof.drillfile.scalars import resolve
from fireproof.drillfile.tree import Broken, Entry, Items, Node, Scalar, Table, child
from fireproof.drillfile.words import suggestion
from fireproof.model.params import Asked, InForce

_USE = re.compile(r"\{param\.([^{}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_UNQUOTED = re.compile(r"param\.[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class _Given:
    """A param's value in this run; ``scalar`` None when something about it has been reported."""

    scalar: Scalar | None
    source: str
    at: At  # where the author declared it


def fill_params(root: Node, asked: Asked, findings: Findings) -> tuple[Node, Mapping[str, InForce]]:
    """The tree with every use of a param filled in, and the values in force."""
    if not isinstance(root, Table):
        return root, {}
    given = _given(root, asked, findings)
    filler = _Filler(given, findings)
    entries = {
        key: entry if key == "params" else Entry(entry.key_at, filler.node(entry.node, (key,)))
        for key, entry in root.entries.items()
    }
    for name, one in given.items():
        if name not in filler.used and _NAME.fullmatch(name):  # else its name is the problem
            text = f"nothing in the drill says '{{param.{name}}}'; use it or remove it"
            findings.add(one.at, ("params", name), text)
    in_force = {
        name: InForce.model_validate({"value": one.scalar.text, "from": one.source})
        for name, one in given.items()
        if one.scalar is not None
    }
    return Table(root.at, entries), in_force


def _given(root: Table, asked: Asked, findings: Findings) -> dict[str, _Given]:
    declared = child(root, "params")
    entries = declared.entries if isinstance(declared, Table) else {}
    for name in asked.values:
        if name not in entries:
            at = root.entries["params"].key_at if "params" in root.entries else root.at
            text = f"--param {shown(name)}: the drill has no such param"
            findings.add(at, ("params",), text + suggestion(name, entries))
    return {name: _value(name, entry, asked, findings) for name, entry in sorted(entries.items())}


def _value(name: str, entry: Entry, asked: Asked, findings: Findings) -> _Given:
    node, source = entry.node, "default"
    if isinstance(node, Table):
        own, other = child(node, asked.profile), child(node, "default")
        if own is None and other is None:
            text = f"no value in profile {asked.profile}; add `{asked.profile}:` or `default:`"
            findings.add(entry.key_at, ("params", name), text)
        source = f"profile {asked.profile}" if own else "default"
        node = own or other or Broken(node.at)
    if isinstance(node, Scalar) and "{param." in node.text:
        findings.add(node.at, ("params", name), "a param cannot be made of params; write it out")
        node = Broken(node.at)
    if not isinstance(node, Scalar) or node.value is None:  # the model has said so
        return _Given(None, source, entry.key_at)
    if name not in asked.values:
        return _Given(node, source, entry.key_at)
    text = asked.values[name]
    try:
        # Text stays text, whatever it looks like; a number or truth value is read as in the file.
        value = text if isinstance(node.value, str) else resolve(text)
    except ValueError as err:
        findings.add(node.at, ("params", name), f"--param: {err}, got {shown(text)}")
        return _Given(None, "--param", entry.key_at)
    return _Given(Scalar(node.at, value, text), "--param", entry.key_at)


class _Filler:
    def __init__(self, given: Mapping[str, _Given], findings: Findings) -> None:
        self._given, self._findings = given, findings
        self.used: set[str] = set()

    def node(self, node: Node, path: Path) -> Node:
        if isinstance(node, Items):
            filled = (self.node(item, (*path, index)) for index, item in enumerate(node.nodes))
            return Items(node.at, tuple(filled))
        if isinstance(node, Table):
            return self._table(node, path)
        if isinstance(node, Scalar) and isinstance(node.value, str) and "{param." in node.text:
            return self._scalar(node, path)
        return node

    def _table(self, table: Table, path: Path) -> Node:
        key = next(iter(table.entries), "")
        if len(table.entries) == 1 and _UNQUOTED.fullmatch(key):
            self.used.add(key.removeprefix("param."))
            self._findings.add(table.at, path, f'write "{{{key}}}" with its quotes')
            return Broken(table.at)
        for key, entry in table.entries.items():
            if "{param." in key:
                text = f"{shown(key)}: params stand for values, not for keys"
                self._findings.add(entry.key_at, path, text)
        return Table(
            table.at,
            {
                key: Entry(entry.key_at, self.node(entry.node, (*path, key)))
                for key, entry in table.entries.items()
            },
        )

    def _scalar(self, scalar: Scalar, path: Path) -> Node:
        names = dict.fromkeys(_USE.findall(scalar.text))
        found = {name: one for name in names if (one := self._lookup(name, scalar, path))}
        values = {name: one.scalar for name, one in found.items() if one.scalar}
        if len(values) < len(names):
            return Broken(scalar.at)  # a param of it has been reported
        for name, value in values.items():
            source, at = found[name].source, found[name].at
            source = "its default" if source == "default" else f"from {source}"
            said = f"{{param.{name}}} is {shown(value.text)}, {source}"
            self._findings.explain(scalar.at, f" ({said}, line {at.line})")
        whole = _USE.fullmatch(scalar.text)
        if whole:
            return values[whole[1]]._replace(at=scalar.at)
        text = _USE.sub(lambda use: values[use[1]].text, scalar.text)
        return Scalar(scalar.at, text, text)

    def _lookup(self, name: str, scalar: Scalar, path: Path) -> _Given | None:
        self.used.add(name)
        if name not in self._given:
            use = shown("{param." + name + "}")
            known = suggestion(name, self._given) or "; add it under `params:`"
            self._findings.add(scalar.at, path, f"{use}: the drill has no such param{known}")
        return self._given.get(name)
