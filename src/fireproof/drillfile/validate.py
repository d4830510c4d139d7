"""A node against a model: pydantic decides, this file says it in our words and at its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fireproof.drillfile.findings import At, Findings, Path, shown
from fireproof.drillfile.tree import Broken, Items, Node, Scalar, Table, plain
from fireproof.drillfile.wording import cure, expected, own_text
from fireproof.drillfile.words import closest, either, got, suggestion

M = TypeVar("M", bound=BaseModel)


def validate(
    model: type[M],
    node: Node,
    path: Path,
    findings: Findings,
    *,
    instead: Mapping[str, Any] | None = None,
) -> M | None:
    """The model's instance, or None with everything wrong added to the findings.

    Args:
        model: what the node should be.
        node: what stands in the file.
        path: where the node is, from the top of the file.
        findings: receives the problems.
        instead: data for keys that the caller validates by itself.
    """
    if not isinstance(node, Table):
        if not isinstance(node, Broken):
            findings.add(node.at, path, f"expected a mapping, got {got(node)}")
        return None
    data = plain(node) | dict(instead or {})
    text = json.dumps(data)
    try:
        # JSON input, because strict Python input would refuse lists for tuples; strict, because
        # a quoted "5" is text and true is not a number.
        return model.model_validate_json(text, strict=True)
    except ValidationError as err:
        rewriter = _Rewriter(model, node, path, findings)
        if not rewriter.add(err.errors(include_url=False, include_input=False)):
            return None
    except Exception as err:  # a plug-in's own validator fell over: its text is all there is
        findings.add(node.at, path, f"could not be understood: {err or type(err).__name__}")
        return None
    # What went through a "before" validator is Python's: strict refuses its lists for tuples, so
    # the rest is asked again without. Places that have been reported are not reported twice.
    try:
        instance = model.model_validate_json(text)
    except ValidationError as err:
        rewriter.add(err.errors(include_url=False, include_input=False))
        return None
    return None if rewriter.said else instance


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error belongs."""

    path: Path
    at: At
    node: Node
    key_at: At
    union: Path | None  # path of the value that may be one of several things
    unwritten: str = ""  # key that a plug-in made up from what the file says


class _Rewriter:
    def __init__(self, model: type[BaseModel], root: Table, path: Path, into: Findings) -> None:
        self._model, self._root, self._path, self._into = model, root, path, into
        self.said: set[Path] = set()

    def add(self, details: Iterable[ErrorDetails]) -> bool:
        """Report the errors; True when some were only strict about Python's types."""
        everything = [(self._place(error["loc"]), error) for error in details]
        placed = [
            (place, error)
            for place, error in everything
            if not _idle(place.node, error) and not _pedantic(place, error)
        ]
        meant = self._unknown_keys(placed)
        deepest: dict[Path, int] = {}
        for place, _ in placed:
            if place.union is not None:
                depth = max(deepest.get(place.union, 0), len(place.path))
                deepest[place.union] = depth
        alternatives: dict[Path, list[tuple[_Place, ErrorDetails]]] = {}
        for place, error in placed:
            if error["type"] == "missing":
                self._missing(place, str(error["loc"][-1]), meant)
            elif error["type"] == "extra_forbidden":
                continue
            elif place.union is None or len(place.path) == deepest[place.union]:
                alternatives.setdefault(place.path, []).append((place, error))
        for errors in alternatives.values():
            self._say(errors)
        return any(_pedantic(place, error) for place, error in everything)

    def _tell(self, at: At, path: Path, text: str, about: Path) -> None:
        if about not in self.said:
            self._into.add(at, path, text)
            self.said.add(about)

    def _place(self, loc: tuple[int | str, ...]) -> _Place:
        node: Node = self._root
        key_at, path, union = node.at, self._path, None
        for index, part in enumerate(loc):
            if isinstance(node, Table) and str(part) in node.entries:
                entry = node.entries[str(part)]
                node, key_at = entry.node, entry.key_at
            elif isinstance(node, Items) and isinstance(part, int) and part < len(node.nodes):
                node = node.nodes[part]
                key_at = node.at
            elif part == "[key]":
                return _Place(path, key_at, Scalar(key_at, path[-1], str(path[-1])), key_at, None)
            elif isinstance(node, Table) and str(part) in keys_at(self._model, loc[:index]):
                return _Place(path, node.at, node, key_at, union, str(part))
            else:
                union = path  # a name pydantic gives to one alternative
                continue
            path = (*path, part)
        at = key_at if isinstance(node, Scalar) and not node.text else node.at
        return _Place(path, at, node, key_at, union)

    def _unknown_keys(self, placed: list[tuple[_Place, ErrorDetails]]) -> set[tuple[Path, str]]:
        """Report keys nobody knows; returns the keys that were probably meant."""
        meant: set[tuple[Path, str]] = set()
        choice: dict[Path, tuple[set[str], set[str]]] = {}  # all keys there, those not given
        for place, error in placed:
            if error["type"] == "extra_forbidden":
                key = str(error["loc"][-1])
                above = place.path[:-1] if place.union is None else place.path
                if above not in choice:
                    known = keys_at(self._model, error["loc"][:-1])
                    choice[above] = known, known - set(self._table(above).entries)
                known, unused = choice[above]
                text = f"unknown key {shown(key)}{suggestion(key, known, unused)}"
                self._tell(place.key_at, above, text, place.path)
                match = closest(key, unused)
                if match is not None:
                    meant.add((above, match))
        return meant

    def _table(self, path: Path) -> Table:
        node: Node = self._root
        for part in path[len(self._path) :]:
            if isinstance(node, Table):
                node = node.entries[str(part)].node
            elif isinstance(node, Items) and isinstance(part, int):
                node = node.nodes[part]
        return node if isinstance(node, Table) else Table(node.at, {})

    def _missing(self, place: _Place, key: str, meant: set[tuple[Path, str]]) -> None:
        if (place.path, key) not in meant:  # else the misspelt key says it all
            self._tell(place.node.at, place.path, f"{key!r} is missing", (*place.path, key))

    def _say(self, errors: list[tuple[_Place, ErrorDetails]]) -> None:
        place = errors[0][0]
        came = got(place.node)
        phrases = [expected(error) for _, error in errors]
        if all(phrase is not None for phrase in phrases):
            actual = errors[0][1].get("ctx", {}).get("actual_length")
            text = f"expected {either(filter(None, phrases))}"
            if place.unwritten:
                text = f"{place.unwritten}: {text}"
            else:
                text += f", got {actual or came}{cure(place.node, errors[0][1])}"
        else:
            text = next(own_text(error) for _, error in errors if expected(error) is None)
        self._tell(place.at, place.path, text, place.path)


def _idle(node: Node, error: ErrorDetails) -> bool:
    """Whether an error only follows from another that is reported."""
    if error["type"] == "too_short" and isinstance(node, Items):
        # Pydantic does not count the entries of a tuple that are wrong themselves.
        return len(node.nodes) >= int(error["ctx"]["min_length"])
    return isinstance(node, Broken)


def _pedantic(place: _Place, error: ErrorDetails) -> bool:
    """Whether a value only has another Python type than the file can give it."""
    if error["type"] in ("tuple_type", "list_type", "set_type", "frozen_set_type"):
        return isinstance(place.node, Items) or bool(place.unwritten)
    return error["type"] == "is_instance_of" and isinstance(place.node, Scalar)


def keys_at(model: object, loc: Iterable[int | str]) -> set[str]:
    """Keys that a model takes at a place below itself."""
    path = tuple(loc)
    if isinstance(model, type) and issubclass(model, BaseModel):
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if not path:
            return set(fields)
        field = fields.get(str(path[0]))
        return keys_at(field.annotation, path[1:]) if field else set()
    origin = get_origin(model)
    if isinstance(origin, type) and issubclass(origin, (tuple, list, Mapping)):
        if not path:
            return set()
        path = path[1:]
    found: set[str] = set()
    for argument in get_args(model):
        named = bool(path) and path[0] == getattr(argument, "__name__", None)  # pydantic's tag
        found |= keys_at(argument, path[1:] if named else path)
    return found
