"""Files that people write, each with every problem it has; see tests/vectors/malformed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fireproof.drillfile import load_drill
from fireproof.errors import DrillFileError
from fireproof.model.drill import Drill
from unit.drillfile.examples import VOCABULARY

VECTORS = Path(__file__).parents[2] / "vectors"
MALFORMED = sorted((VECTORS / "malformed").glob("*.yaml"))
WELLFORMED = sorted((VECTORS / "wellformed").glob("*.y*ml"))
_EXPECT = re.compile(r"# expect: (\d+:\d+) (.+)")


def test_there_are_vectors() -> None:
    """An empty folder would make the tests below pass in silence."""
    assert len(MALFORMED) >= 70
    assert len(WELLFORMED) >= 9


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_every_problem_is_told_with_its_place_and_nothing_else(path: Path) -> None:
    """The author would otherwise look in the wrong line, or fix one problem a run."""
    text = path.read_text(encoding="utf-8", errors="replace")
    expected = [(place, said) for place, said in _EXPECT.findall(text)]

    with pytest.raises(DrillFileError) as caught:
        load_drill(path, VOCABULARY)

    problems = caught.value.problems
    said = [
        (f"{problem.line}:{problem.column}", str(problem).split(": ", 1)[1]) for problem in problems
    ]
    assert said == expected
    assert all(problem.file == str(path) for problem in problems)


@pytest.mark.parametrize("path", WELLFORMED, ids=lambda path: path.name)
def test_a_sound_file_is_accepted_and_survives_the_plan(path: Path) -> None:
    """A drill that changed on its way through plan.json would be judged by other limits."""
    drill = load_drill(path, VOCABULARY)

    again = Drill.model_validate(drill.model_dump(mode="json", by_alias=True))
    assert again == drill
    assert again.model_dump_json(by_alias=True) == drill.model_dump_json(by_alias=True)


def test_words_stay_words() -> None:
    """An owner called no, or a hypothesis of 15:00, must not become false or 900."""
    drill = load_drill(VECTORS / "wellformed" / "words-that-yaml-once-took.yaml", VOCABULARY)

    assert (drill.title, drill.owner, drill.hypothesis) == ("yes", "no", "15:00")
    assert drill.components == ("on", "off", "y", "n")
    assert drill.recover[0].params["process"] == ["null-device", ".5.5", "0o8", "-", "~x"]
