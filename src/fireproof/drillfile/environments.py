"""An environment file: components whose further keys are text, whatever they look like."""

from __future__ import annotations

import re
from typing import Any

from fireproof.drillfile.findings import Findings, Path, shown
from fireproof.drillfile.tree import Entry, Items, Node, Scalar, Table, child, plain
from fireproof.drillfile.validate import keys_at, validate
from fireproof.drillfile.words import closest, got
from fireproof.model.environment import Component, Environment, parse_reference

_KEY = re.compile(r"[a-z0-9_-]+")
_FIELDS = keys_at(Component, ())
_NAMES_A_SECRET = re.compile(r"(?:^|[-_])(password|passwd|secret|token|(?:api|access|secret)-key)$")
_PASSWORD = re.compile(r"\bpassword\s*=\s*(?!\{)\S|://[^/\s:@{]*:(?!\{)[^/\s@]+@", re.IGNORECASE)
_TAKEN = {
    "saved": "{saved.NAME} is the value of an earlier step",
    "param": "{param.NAME} is a param of the drill",
}
_PLACES = {
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "env:NAME, with the name of a variable"),
    "file": (re.compile(r"\S.*"), "file:PATH"),
    "aws-sm": (re.compile(r"[^#\s]+(#\S+)?"), "aws-sm:ID or aws-sm:ID#KEY"),
}


def read_environment_tree(root: Node, findings: Findings) -> Environment | None:
    """The environment, or None with what is wrong added."""
    components = child(root, "components")
    instead: dict[str, Any] = {}
    if isinstance(components, Table):
        instead["components"] = {
            name: _component(entry.node, ("components", name), findings)
            for name, entry in components.entries.items()
        }
        for name in _TAKEN.keys() & components.entries.keys():
            at = components.entries[name].key_at
            findings.add(at, ("components", name), f"{name!r} is taken: {_TAKEN[name]}")
    return validate(Environment, root, (), findings, instead=instead)


def _component(node: Node, path: Path, findings: Findings) -> Any:
    """A component's data; ``port: 5432`` and ``tls: on`` are kept as they are written."""
    if not isinstance(node, Table):
        return plain(node)
    for verb in ("stop", "start"):
        argv = child(node, "control", verb)
        if isinstance(argv, Items) and not argv.nodes:
            text = "expected a command with its arguments, got an empty list"
            findings.add(argv.at, (*path, "control", verb), text)
    return {
        key: plain(entry.node) if key in _FIELDS else _text(key, entry, (*path, key), findings)
        for key, entry in node.entries.items()
    }


def _reference(key: str, node: Scalar, path: Path, findings: Findings) -> None:
    """References are whole, and secrets are references; a value is never repeated here."""
    reference = parse_reference(node.text)
    if reference is not None:
        shape, wanted = _PLACES[reference.scheme]
        if not shape.fullmatch(reference.place):
            findings.add(node.at, path, f"expected {wanted}, got {shown(node.text)}")
        return
    bare = _NAMES_A_SECRET.search(key) and "{" not in node.text
    if bare or _PASSWORD.search(node.text):
        text = "a secret in the open; keep it elsewhere and write env:NAME, file:PATH or aws-sm:ID"
        cure = "" if bare else ", and name that key here: password={component.key}"
        findings.add(node.at, path, text + cure)


def _text(key: str, entry: Entry, path: Path, findings: Findings) -> str:
    node = entry.node
    if not _KEY.fullmatch(key):
        text = "expected lower-case letters, digits, '-' or '_', as in {component.key}"
        findings.add(entry.key_at, path, f"{text}, got {shown(key)}")
    if isinstance(node, Scalar) and node.text:
        _reference(key, node, path, findings)
        return node.text
    if isinstance(node, Scalar):
        findings.add(entry.key_at, path, f"expected text, got {got(node)}")
    elif isinstance(node, (Items, Table)):
        meant = closest(key, _FIELDS)
        cure = f"; did you mean {meant!r}?" if meant else ""
        findings.add(entry.key_at, path, f"expected text, got {got(node)}{cure}")
    return ""
