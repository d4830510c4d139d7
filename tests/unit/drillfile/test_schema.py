"""The JSON Schema that editors use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fireproof.drillfile import Vocabulary, schema
from unit.drillfile.examples import CONTROLS, VOCABULARY


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from _objects(item)


def test_every_kind_can_be_completed() -> None:
    """An editor that does not know a step would mark a sound drill as wrong."""
    document = schema(VOCABULARY)
    definitions = document["$defs"]

    def kinds(choice: str) -> set[str]:
        names = [place["$ref"].rpartition("/")[2] for place in definitions[choice]["anyOf"]]
        return {key for name in names for key in definitions[name]["required"]}

    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert kinds("Step") >= set(VOCABULARY.steps)
    assert kinds("Fault") == set(VOCABULARY.faults)
    for section in ("preflight", "recover", "verify", "refuse"):
        assert document["properties"][section]["items"] == {"$ref": "#/$defs/Step"}
    assert document["properties"]["fault"]["items"] == {"$ref": "#/$defs/Fault"}
    assert definitions["Baseline"]["properties"]["steps"]["items"] == {"$ref": "#/$defs/Step"}


def test_every_reference_leads_somewhere() -> None:
    """Editors ignore a schema with a dangling reference, and then check nothing."""
    document = schema(VOCABULARY)

    references = {place["$ref"] for place in _objects(document) if "$ref" in place}
    assert references
    assert references <= {f"#/$defs/{name}" for name in document["$defs"]}
    assert json.loads(json.dumps(document)) == document


def test_defaults_are_written_as_people_write_them() -> None:
    """A default of 60000000000 would be offered, and then refused."""
    for place in _objects(schema(VOCABULARY)):
        if place.get("type") == "string" and "pattern" in place and "default" in place:
            assert re.search(place["pattern"], place["default"]), place


def test_a_param_may_stand_for_a_number_and_a_duration() -> None:
    """An editor that marks `for: "{param.hold}"` as wrong teaches people to ignore its marks."""
    definitions = schema(VOCABULARY)["$defs"]

    hold = definitions["Baseline"]["properties"]["for"]["pattern"]
    assert re.search(hold, "{param.hold}")
    assert not re.search(hold, "{param}")
    status = definitions["Good"]["properties"]["status"]
    assert status["type"] == ["integer", "string"]
    assert re.search(status["pattern"], "{param.status}")
    assert not re.search(status["pattern"], "200")


def test_controls_are_offered_when_they_are_known() -> None:
    """Nobody remembers 185 ids."""
    assert schema(VOCABULARY)["$defs"]["Control"]["enum"] == sorted(CONTROLS)
    assert "Control" not in schema(Vocabulary(VOCABULARY.steps, VOCABULARY.faults))["$defs"]


def test_a_misspelt_key_is_marked_in_the_editor_too() -> None:
    """The schema is as strict as the loader."""
    document = schema(VOCABULARY)

    for place in [document, *document["$defs"].values()]:
        if "properties" in place:
            assert place["additionalProperties"] is False
