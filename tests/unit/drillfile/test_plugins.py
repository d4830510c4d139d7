"""Kinds that other people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import field_validator, model_validator

from fireproof.drillfile import Vocabulary, parse_drill
from fireproof.errors import DrillFileError
from fireproof.model.drill import StepParams
from unit.drillfile.examples import DRILL, VOCABULARY


class Copy(StepParams):
    """Everything a step's author may reasonably write."""

    copy_: tuple[Path, ...] = ()
    mode: Literal["fast", "safe"] = "safe"
    level: int | Literal["all"] = 1

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        data = dict(data)
        return data | {"copy_": data.pop("copy", ()), "save": data.get("save", "copied")}

    @model_validator(mode="after")
    def _not_fast_and_deep(self) -> Copy:
        if self.mode == "fast" and self.level == "all":
            raise ValueError("expected a safe mode for all levels")
        return self


class Broken(StepParams):
    broken: str

    @field_validator("broken")
    @classmethod
    def _falls_over(cls, value: str) -> str:
        return value[1_000_000]


_STEPS: dict[str, type[StepParams]] = {**VOCABULARY.steps, "copy": Copy, "broken": Broken}
_WITH_PLUGINS = Vocabulary(_STEPS, VOCABULARY.faults)
_VERIFY = "  - {pytest: tests/restored}\n"


def _verify(*steps: str) -> str:
    assert _VERIFY in DRILL
    return DRILL.replace(_VERIFY, "".join(f"  - {step}\n" for step in steps))


def test_a_before_validator_does_not_make_a_list_wrong() -> None:
    """Pydantic's strict mode would ask for a tuple, which no file can write."""
    drill = parse_drill(_verify("{copy: [a, b], level: all}"), "x", _WITH_PLUGINS)

    assert drill.verify[0].params["copy_"] == ["a", "b"]
    assert drill.verify[0].params["save"] == "copied"


def test_a_default_name_counts_as_saved() -> None:
    """The second copy would silently replace what the first one saved."""
    text = _verify("{copy: [a]}", '{process: ["{saved.copied}"]}', "{copy: [b]}")

    with pytest.raises(DrillFileError) as caught:
        parse_drill(text, "x", _WITH_PLUGINS)

    assert str(caught.value) == "x:34:5: verify.2.save: 'copied' is saved twice; first in line 32"


def test_what_a_step_says_is_passed_on() -> None:
    """Its author knows best; a crash in its code is still no traceback here."""
    text = _verify(
        "{copy: [a], mode: fast, level: all}",
        "{broken: x}",
        "{copy: [5], mode: sade, level: true}",
    )

    with pytest.raises(DrillFileError) as caught:
        parse_drill(text, "x", _WITH_PLUGINS)

    assert str(caught.value).splitlines() == [
        "x:32:5: verify.0: expected a safe mode for all levels",
        "x:33:5: verify.1: could not be understood: string index out of range",
        "x:34:5: verify.2: copy_: expected a path",
        "x:34:23: verify.2.mode: expected fast or safe, got 'sade'; did you mean 'safe'?",
        "x:34:36: verify.2.level: expected a whole number or all, got true",
    ]
