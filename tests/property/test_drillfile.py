"""Any text is a drill or a list of problems; any drill survives its plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from fireproof.drillfile import check_environment, parse_drill, render
from fireproof.drillfile.scalars import resolve
from fireproof.drillfile.tree import parse, plain
from fireproof.errors import DrillFileError
from fireproof.model.drill import (
    AbortWhen,
    Baseline,
    CanaryProbe,
    CheckObjective,
    DataLoss,
    Drill,
    Good,
    HttpProbe,
    RecoveryTime,
    Use,
)
from fireproof.model.environment import Environment
from fireproof.model.quantity import (
    format_duration,
    format_rate,
    parse_duration,
    parse_rate,
    parse_size,
)
from unit.drillfile.examples import DRILL, VOCABULARY

_LINES = DRILL.splitlines()
_WORDS = sorted({word for word in DRILL.replace("\n", " ").split(" ") if word})
_ODD = [
    *("&a", "*a", "<<: {a: 1}", "!!str", "!x", "---", "...", "%YAML 1.1", "? ", "? [a]", ": "),
    *("- ", "[", "]", "{", "}", ",", "#", "|", ">", "'", '"', "\\", "@", "`", "%", "~", "null"),
    *("\t", "\n", "\r", "\0", "\x85", "\u2028", "\ufeff", "\ud800", "𝄞", "é", '"\\0"', '"\\x1b"'),
    *(".nan", "1e999", "9" * 400, "9" * 5000, "0x" + "f" * 300, "9" * 39 + "d", "1" * 39 + "/s"),
    *("api", "errors > " + "9" * 30, "{saved.x}", "{a.b}", "P" + "9" * 30 + "Y", "٣s", "{} "),
]


def _read(read: Callable[[Any], Any], value: object) -> tuple[str, Any]:
    """What was said against a value, and what it was read as."""
    try:
        return "", read(value)
    except ValueError as err:
        return str(err), None


def _told(text: str) -> Drill | None:
    """The drill, or None once its problems were found to be fit for a terminal."""
    try:
        return parse_drill(text, "x.yaml", VOCABULARY)
    except DrillFileError as err:
        problems = err.problems
    assert problems
    last = text.count("\n") + text.count("\r") + 1
    places = [(problem.line, problem.column) for problem in problems]
    assert places == sorted(places)
    assert all(1 <= line <= last and 1 <= column <= len(text) + 1 for line, column in places)
    printed = render(problems).splitlines()
    assert len(printed) == len(problems) + 1, "a problem is one line"
    assert all(len(line) < 600 for line in printed)
    return None


@given(st.text() | st.lists(st.sampled_from(_ODD + _WORDS)).map(" ".join))
@example("a: " + "[" * 2000)
@example("a: 1\n" * 3)
@example("{" * 100_000)
@example("a: &a [*a]")
def test_any_text_is_a_drill_or_problems(text: str) -> None:
    """A traceback at four in the morning says nothing about the file."""
    _told(text)


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """The sound file with a few lines, words or characters changed."""
    lines = list(_LINES)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        at = draw(st.integers(0, len(line)))
        match draw(st.integers(0, 5)):
            case 0:
                del lines[index]
            case 1:
                lines[index] = line[:at] + draw(st.sampled_from(_ODD + _WORDS)) + line[at:]
            case 2:
                lines[index] = line[:at] + line[at + draw(st.integers(1, 9)) :]
            case 3:
                lines[index] = " " * draw(st.integers(0, 9)) + line.lstrip()
            case 4:
                lines.insert(index, draw(st.sampled_from(_LINES)))
            case _:
                words = line.split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(_ODD + _WORDS))
                lines[index] = " ".join(words)
        lines = lines or [""]
    return "\n".join(lines)


@given(_damaged())
def test_a_damaged_file_is_a_drill_or_problems(text: str) -> None:
    """Most files are nearly right; what is accepted is whole enough for a plan."""
    drill = _told(text)

    if drill is not None:
        data = json.loads(json.dumps(drill.model_dump(mode="json", by_alias=True)))
        assert Drill.model_validate(data) == drill


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
_TREE = parse(DRILL, lambda *_: None)
_SOUND: dict[str, Any] = plain(_TREE) if _TREE else {}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, (dict, list)):
        return [path]
    below = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, one in below for found in _paths(one, (*path, key)))]


@given(st.sampled_from(_paths(_SOUND)[1:]), _json)
def test_any_value_anywhere_is_a_drill_or_problems(path: tuple[Any, ...], value: Any) -> None:
    """Each field meets a list, a mapping, nothing and a number; none may be a surprise."""
    data = json.loads(json.dumps(_SOUND))
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    text = json.dumps(data, ensure_ascii=False)
    assume("\x7f" not in text)

    _told(text)


@given(_json)
def test_a_tree_is_what_was_written(value: Any) -> None:
    """JSON is YAML; reading it must change nothing but the keys' order of appearance."""
    text = json.dumps({"top": value})
    # Escaped control characters are refused, in whichever of JSON's two spellings.
    assume(not any(escape in text for escape in ("\\u", "\\b", "\\f", '""')))
    reported: list[str] = []

    root = parse(text, lambda _at, _path, said: reported.append(said))

    assert not reported
    assert root is not None
    assert plain(root) == {"top": value}


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=12))
def test_resolving_gives_a_value_or_a_reason(text: str) -> None:
    """Every plain word has one meaning; none is a crash."""
    said, value = _read(resolve, text)

    assert said.startswith("expected") if said else not isinstance(value, str) or value == text


_names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
_texts = st.text(max_size=12)
_ns = st.integers(0, 100 * 365 * 86_400 * 10**9) | st.integers(0, 10_000).map(lambda n: n * 10**8)
_rates = st.floats(0.001, 1e6)
_controls = st.lists(st.sampled_from(["soc2:A1.3", "nist-800-53:CP-9(1)"]), max_size=2).map(tuple)
_uses = st.builds(Use, kind=_names, params=st.dictionaries(_texts, _json, max_size=3))
_steps = st.lists(_uses, max_size=2).map(tuple)


def _built(model: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(fields).map(lambda data: model.model_construct(**data))


_goods = _built(
    Good, status=st.integers(100, 599), within=st.none() | _ns, contains=st.none() | _texts
)
_probes = _built(HttpProbe, http=_texts, every=_ns, timeout=_ns, good=_goods) | _built(
    CanaryProbe,
    acknowledged_writes=_texts,
    rate=_rates,
    timeout=_ns,
    read_from=_texts,
    query=_texts,
)
_objectives = (
    _built(
        RecoveryTime,
        rto=_ns,
        from_=_names,
        hold=_ns,
        clock=st.sampled_from(["injection", "outage", "verified"]),
        controls=_controls,
    )
    | _built(
        DataLoss,
        rpo=_ns,
        lost=st.none() | st.integers(0, 9),
        from_=_names,
        controls=_controls,
    )
    | _built(
        CheckObjective,
        checks=st.lists(_texts, min_size=1, max_size=3).map(tuple),
        controls=_controls,
    )
)
_drills = _built(
    Drill,
    drill=_names,
    title=_texts,
    owner=_texts,
    kind=st.sampled_from(["tabletop", "component", "functional", "full-scale"]),
    cadence=_ns,
    components=st.lists(_names, min_size=1, max_size=2).map(tuple),
    hypothesis=_texts,
    probes=st.dictionaries(_names, _probes, max_size=2),
    objectives=st.dictionaries(_names, _objectives, min_size=1, max_size=2),
    preflight=_steps,
    baseline=_built(Baseline, for_=_ns, steps=_steps),
    fault=st.lists(_uses, min_size=1, max_size=2).map(tuple),
    recover=_steps,
    verify=_steps,
    refuse=_steps,
    abort=st.lists(_built(AbortWhen, when=st.just("api.errors > 3 before fault")), max_size=1).map(
        tuple
    ),
)


@given(_drills)
def test_a_drill_survives_its_plan(drill: Drill) -> None:
    """The judge reads limits from plan.json: one lost nanosecond is another objective."""
    data = json.loads(json.dumps(drill.model_dump(mode="json", by_alias=True)))

    assert Drill.model_validate(data) == drill


@given(_drills)
def test_a_drill_built_in_python_can_be_checked_against_a_place(drill: Drill) -> None:
    """Whatever its texts hold, every problem names what is missing."""
    environment = Environment.model_validate(
        {"environment": "lab", "class": "other", "components": {"zz": {"kind": "x"}}}
    )

    told = [problem.text for problem in check_environment(drill, environment)]

    for name in set(drill.components) - {"zz"}:
        assert any(f"no component {name!r}" in text for text in told)


@given(_ns, _rates, st.integers(0, 2**60))
def test_quantities_are_read_back_exactly(ns: int, rate: float, size: int) -> None:
    """Text is the only form in which a plan keeps them."""
    assert parse_duration(format_duration(ns)) == ns
    assert parse_rate(format_rate(rate)) == rate
    assert parse_size(f"{size}B") == size


@given(st.sampled_from(_ODD) | st.text(max_size=60) | _json | st.floats())
def test_a_quantity_is_read_or_refused(value: object) -> None:
    """Four hundred nines once ended in an OverflowError that nobody expected."""
    for read in (parse_duration, parse_rate, parse_size):
        said, quantity = _read(read, value)

        assert said.startswith("expected a") if said else quantity >= 0
