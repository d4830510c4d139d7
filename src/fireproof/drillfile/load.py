"""Files in, models out: every problem of a file at once, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from fireproof.drillfile.crosscheck import check_draft
from fireproof.drillfile.drills import read_drill_tree
from fireproof.drillfile.entries import read_gameday_tree
from fireproof.drillfile.environments import read_environment_tree
from fireproof.drillfile.findings import At, Findings, shown
from fireproof.drillfile.marks import Loaded, Marks
from fireproof.drillfile.params import fill_params
from fireproof.drillfile.source import printable, read_text
from fireproof.drillfile.tree import Node, Scalar, child, parse
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.model.drill import Drill
from fireproof.model.environment import Environment
from fireproof.model.gameday import GameDay
from fireproof.model.params import ASKED_NOTHING, Asked, InForce

M = TypeVar("M", bound=BaseModel)


def load_drill(path: Path, vocabulary: Vocabulary, asked: Asked = ASKED_NOTHING) -> Drill:
    """The drill of a file, with its params as asked for.

    Raises:
        DrillFileError: with every problem of the file, in its order.
    """
    return read_drill(path, vocabulary, asked).drill


def read_drill(path: Path, vocabulary: Vocabulary, asked: Asked = ASKED_NOTHING) -> Loaded:
    """The drill of a file with the places of its parts; raises as ``load_drill`` does."""
    findings = Findings(str(path))
    text = read_text(path, findings)
    findings.raise_if_any()
    return _drill(text or "", findings, vocabulary, asked, stem=path.stem)


def parse_drill(
    text: str, file: str, vocabulary: Vocabulary, asked: Asked = ASKED_NOTHING
) -> Drill:
    """The drill of a text; ``file`` is what problems call it. Raises as ``load_drill`` does."""
    return _drill(text, Findings(file), vocabulary, asked, stem=None).drill


def load_environment(path: Path) -> Environment:
    """The environment of a file; raises as ``load_drill`` does."""
    findings = Findings(str(path))
    root = _tree(read_text(path, findings), findings)
    environment = read_environment_tree(root, findings) if root else None
    return _done(environment, findings)


def load_gameday(path: Path) -> GameDay:
    """The game day of a file; raises as ``load_drill`` does."""
    findings = Findings(str(path))
    root = _tree(read_text(path, findings), findings)
    gameday = read_gameday_tree(root, findings) if root else None
    if root:
        _named_like_its_file(root, "gameday", path.stem, findings)
    return _done(gameday, findings)


def _drill(
    text: str, findings: Findings, vocabulary: Vocabulary, asked: Asked, *, stem: str | None
) -> Loaded:
    root = _tree(text, findings)
    in_force: Mapping[str, InForce] = {}
    if root is not None:
        root, in_force = fill_params(root, asked, findings)
    draft = read_drill_tree(root, vocabulary, findings) if root else None
    if draft is not None:
        check_draft(draft, vocabulary, findings)
        if stem is not None:
            _named_like_its_file(draft.root, "drill", stem, findings)
    findings.raise_if_any()
    drill = _done(draft.drill() if draft else None, findings)
    return Loaded(drill, Marks(findings.file, root), in_force)


def _tree(text: str | None, findings: Findings) -> Node | None:
    if text is None or not printable(text, findings):
        return None
    return parse(text, lambda at, path, said: findings.add(at, tuple(path), said))


def _named_like_its_file(root: Node, key: str, stem: str, findings: Findings) -> None:
    node = child(root, key)
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value != stem:
        text = f"expected {shown(stem)}, as the file is called, got {shown(node.value)}"
        findings.add(node.at, (key,), f"{text}; rename one of the two")


def _done(model: M | None, findings: Findings) -> M:
    if model is None and not len(findings):  # no way here is known; silence would be worse
        findings.add(At(1, 1), (), "could not be understood")
    findings.raise_if_any()
    if model is None:
        raise AssertionError("unreachable: a finding was raised")
    return model
