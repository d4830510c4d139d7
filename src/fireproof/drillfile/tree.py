"""YAML text → a tree in which every node knows its line and column.

Built from parser events, so a hostile file is refused at the event that shows it: no alias is
ever expanded, and depth is bounded before anything recurses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from fireproof.drillfile.findings import At, shown
from fireproof.drillfile.scalars import Value, resolve
from fireproof.drillfile.syntax import syntax_problem

MAX_DEPTH = 32  # a drill needs 6; deeper ones would end in Python's recursion limit
MAX_NODES = 5000  # the largest drill we know has 300; 180,000 wrong ones took 17 s to describe
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the Python one is 10 times slower
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

Report = Callable[[At, list[str | int], str], None]


class Scalar(NamedTuple):
    """A word, number or text."""

    at: At
    value: Value
    text: str  # as written, without quotes


class Items(NamedTuple):
    """A list."""

    at: At
    nodes: tuple[Node, ...]


class Entry(NamedTuple):
    """One key of a mapping with what it leads to."""

    key_at: At
    node: Node


class Table(NamedTuple):
    """A mapping; keys are text as written."""

    at: At
    entries: dict[str, Entry]


class Broken(NamedTuple):
    """Stands for something already reported; nothing more is said about it."""

    at: At


Node = Scalar | Items | Table | Broken


def parse(text: str, report: Report) -> Node | None:
    """The document as a tree; None when it is none, which has been reported."""
    events = yaml.parse(text, Loader=_LOADER)
    try:
        return _Builder(events, report).document()
    except _TooDeepError as err:
        report(err.at, [], f"expected at most {MAX_DEPTH} levels, got more")
    except _TooManyError as err:
        report(err.at, [], f"expected at most {MAX_NODES} values, got more")
    except yaml.MarkedYAMLError as err:
        at, said = syntax_problem(text, err)
        report(at, [], said)
    except yaml.YAMLError as err:
        report(At(1, 1), [], f"not valid YAML: {err}".splitlines()[0])
    return None


def plain(node: Node) -> Any:
    """The node as ordinary data, None where it is broken."""
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return node.value if isinstance(node, Scalar) else None


def child(node: Node | None, *path: str | int) -> Node | None:
    """What stands below a node, or None."""
    for part in path:
        if isinstance(node, Table) and str(part) in node.entries:
            node = node.entries[str(part)].node
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.nodes):
            node = node.nodes[part]
        else:
            return None
    return node


class _TooDeepError(Exception):
    def __init__(self, at: At) -> None:
        self.at = at


class _TooManyError(Exception):
    def __init__(self, at: At) -> None:
        self.at = at


class _Builder:
    def __init__(self, events: Iterator[Any], report: Report) -> None:
        self._next = events.__next__
        self._report = report
        self._path: list[str | int] = []
        self._nodes = 0

    def document(self) -> Node | None:
        self._next()  # stream start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            self._report(At(1, 1), [], "the file is empty")
            return None
        node = self._node(self._next(), 1)
        if isinstance(node, Scalar) and node.value is None and not node.text:  # only "---"
            self._report(At(1, 1), [], "the file is empty")
            return None
        self._next()  # document end
        event = self._next()
        if isinstance(event, yaml.DocumentStartEvent):
            self._report(_at(event), [], "expected one document, got a second; remove the '---'")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        at = _at(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooManyError(at)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, yaml.AliasEvent):
            said = f"aliases such as *{event.anchor} are not allowed; write the value out"
            self._report(at, self._path, said)
            return Broken(at)
        if event.anchor is not None or event.tag is not None:
            self._decorations(event, at)
        if depth > MAX_DEPTH:
            raise _TooDeepError(at)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(at, self._items(depth))
        return Table(at, self._entries(depth))

    def _items(self, depth: int) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._path.append(len(nodes))
            nodes.append(self._node(event, depth + 1))
            self._path.pop()
        return tuple(nodes)

    def _entries(self, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_at, key = _at(event), self._key(event, depth)
            self._path.append("?" if key is None else key)
            node = self._node(self._next(), depth + 1)
            if key is not None and key in entries:
                line = entries[key].key_at.line
                self._report(
                    key_at, self._path, f"{shown(key)} is given twice; first in line {line}"
                )
            elif key is not None:
                entries[key] = Entry(key_at, node)
            self._path.pop()
        return entries

    def _key(self, event: Any, depth: int) -> str | None:
        """Text of a key; None when it is no word, which has been reported."""
        at = _at(event)
        if not isinstance(event, yaml.ScalarEvent):
            kind = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a mapping"
            if isinstance(event, yaml.AliasEvent):
                kind = "an alias"
            self._report(at, self._path, f"expected a word before ':', got {kind}")
            self._skip(event, depth)
            return None
        if event.anchor is not None or event.tag is not None:
            self._decorations(event, at)
        if event.value == "<<" and event.implicit[0]:
            said = "merge keys (<<) are not allowed; write the keys out"
        elif not event.value:
            said = "expected a word before ':', got nothing"
        elif event.style == '"' and (control := _CONTROL.search(event.value)):
            said = _unseen(control[0])
        else:
            return str(event.value)
        self._report(at, self._path, said)
        return None

    def _skip(self, event: Any, above: int) -> None:
        """Read to the end of a node that is not wanted."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if not depth:
                return
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise _TooManyError(_at(event))
            if above + depth > MAX_DEPTH:  # libyaml's time grows with the square of the depth
                raise _TooDeepError(_at(event))
            event = self._next()

    def _scalar(self, event: Any, at: At) -> Node:
        if event.anchor is not None or event.tag is not None:
            self._decorations(event, at)
        text: str = event.value
        # Only an escape such as "\0" can put one there; the file itself was looked through.
        if event.style == '"' and (control := _CONTROL.search(text)):
            self._report(at, self._path, _unseen(control[0]))
            return Broken(at)
        if not event.implicit[0]:  # quoted, block or tagged
            return Scalar(at, text, text)
        try:
            return Scalar(at, resolve(text), text)
        except ValueError as err:
            self._report(
                at, self._path, f"{err}, got {shown(text)}; put it in quotes if it is text"
            )
            return Broken(at)

    def _decorations(self, event: Any, at: At) -> None:
        if event.anchor is not None:
            said = f"anchors such as &{event.anchor} are not allowed; write the value out"
            self._report(at, self._path, said)
        if event.tag is not None and event.tag != "!":
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._report(at, self._path, f"tags such as {tag} are not allowed; remove it")


def _at(event: Any) -> At:
    mark = event.start_mark
    return At(mark.line + 1, mark.column + 1)


def _unseen(character: str) -> str:
    return f"the control character U+{ord(character):04X} is not allowed in text"
