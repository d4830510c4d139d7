"""JSON Schema of a drill file, for editors that complete and check while people type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.model.drill import Baseline, Drill, ProbeParams, StepParams
from fireproof.model.quantity import format_duration, format_rate

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WRITTEN: tuple[Callable[[Any], str], ...] = (format_duration, format_rate, "{}B".format)
_PARAM = r"\{param\.[a-z][a-z0-9-]*\}"
_STEPS = ("preflight", "recover", "verify", "refuse")


def schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """Draft 2020-12 schema of a drill file in which these steps, faults and controls exist."""
    vocabulary = vocabulary.whole()
    models: list[type[Any]] = [Drill, Baseline, *vocabulary.steps.values()]
    models += [*vocabulary.faults.values(), *vocabulary.probes.values()]
    inputs = [(model, "validation") for model in dict.fromkeys(models)]
    places, document = models_json_schema(inputs, by_alias=True)  # type: ignore[arg-type]
    definitions: dict[str, Any] = document["$defs"]

    def definition(model: type[Any]) -> dict[str, Any]:
        reference: str = places[model, "validation"]["$ref"]
        found: dict[str, Any] = definitions[reference.rpartition("/")[2]]
        return found

    def choice(kinds: Mapping[str, type[StepParams] | type[ProbeParams]]) -> dict[str, Any]:
        for kind, model in kinds.items():
            required = definition(model).setdefault("required", [])
            required.extend([kind] if kind not in required else [])
        return {"anyOf": [places[model, "validation"] for model in kinds.values()]}

    theirs = choice(vocabulary.probes)["anyOf"]

    drill = definition(Drill)
    definitions["Step"] = choice(vocabulary.steps)
    definitions["Fault"] = choice(vocabulary.faults)
    for place in _objects(drill["properties"]["probes"]):
        if "anyOf" in place:  # a plug-in's probe is written like ours, not as a plan keeps it
            ours = [one for one in place["anyOf"] if not one["$ref"].endswith("/PluginProbe")]
            place["anyOf"] = ours + theirs
    for section in _STEPS:
        drill["properties"][section]["items"] = {"$ref": "#/$defs/Step"}
    drill["properties"]["fault"]["items"] = {"$ref": "#/$defs/Fault"}
    definition(Baseline)["properties"]["steps"]["items"] = {"$ref": "#/$defs/Step"}
    for place in _objects(definitions):
        _close_names(place)
        _write_default(place)
    names = [id(place["propertyNames"]) for place in _objects(definitions) if _has_names(place)]
    for place in _objects(definitions):
        if id(place) not in names:
            _take_params(place)
    _name_controls(definitions, vocabulary)
    del definitions["Drill"], definitions["Use"], definitions["PluginProbe"]
    return {"$schema": DIALECT, **drill, "$defs": dict(sorted(definitions.items()))}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value:
        if isinstance(below, (dict, list)):
            yield from _objects(below)


def _close_names(place: dict[str, Any]) -> None:
    """Refuse badly named entries, which pydantic leaves out because Python checks them."""
    if "patternProperties" in place:
        place["additionalProperties"] = False


def _write_default(place: dict[str, Any]) -> None:
    """Defaults as people write them: pydantic gives the nanoseconds of a duration."""
    default, pattern = place.get("default"), place.get("pattern")
    if isinstance(default, (int, float)) and pattern:
        texts = (written(default) for written in _WRITTEN)
        place["default"] = next(text for text in texts if re.fullmatch(pattern, text))


def _has_names(place: dict[str, Any]) -> bool:
    return isinstance(place.get("propertyNames"), dict)


def _take_params(place: dict[str, Any]) -> None:
    """``{param.name}`` may stand for any value; JSON Schema asks a pattern of text only."""
    kind, pattern = place.get("type"), place.get("pattern")
    if kind in ("integer", "number", "boolean"):
        place |= {"type": [kind, "string"], "pattern": _PARAM}
    elif kind == "string" and isinstance(pattern, str):
        place["pattern"] = f"{pattern}|{_PARAM}"


def _name_controls(definitions: dict[str, Any], vocabulary: Vocabulary) -> None:
    """One list of control ids that every objective points at, so that editors offer them."""
    known = vocabulary.control_ids()
    for definition in definitions.values():
        controls = definition.get("properties", {}).get("controls")
        if known and controls:
            controls["items"] = {"$ref": "#/$defs/Control"}
    if known:
        definitions["Control"] = {"type": "string", "enum": known}
