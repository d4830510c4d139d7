"""How problems are shown: marks at a terminal, annotations on GitHub, never too many."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fireproof.drillfile import load_drill, render, render_github
from fireproof.drillfile.findings import MOST
from fireproof.drillfile.tree import MAX_NODES
from fireproof.errors import DrillFileError, Problem
from unit.drillfile.examples import DRILL, VOCABULARY


def _problems(path: Path, content: str) -> tuple[Problem, ...]:
    path.write_text(content)
    with pytest.raises(DrillFileError) as caught:
        load_drill(path, VOCABULARY)
    return caught.value.problems


def test_a_mark_stands_under_the_words(tmp_path: Path) -> None:
    """The eye finds a mark before it has counted to column 24."""
    path = tmp_path / "backup-restore.yaml"
    problems = _problems(path, DRILL.replace("rto: 2m", "rto: quickly"))

    assert render(problems, carets=True).splitlines()[1:] == [
        "  18 |   recovery-time: {rto: quickly, from: api, hold: 5s, "
        "controls: [soc2:A1.3, nist-800-53:CP-10]}",
        "     |                        ^^^^^^^",
        "1 problem; nothing was run.",
    ]


@pytest.mark.parametrize(
    ("line", "column", "mark"),
    [
        ("\ttab: x", 7, "\t     ^"),
        ("näme: x", 7, "      ^"),
        ("名前: x", 5, "      ^"),  # two columns a character
        ("e\u0301: x", 5, "   ^"),  # an accent of its own takes none
        ('a: "two words"', 4, "   ^^^^^^^^^^^"),
        ("a: 'two words", 4, "   ^^^^^^^^^^"),
        ("a:", 3, "  ^"),  # just behind the end: what is missing
    ],
)
def test_marks_stand_right_whatever_stands_before(
    tmp_path: Path, line: str, column: int, mark: str
) -> None:
    """A mark under the wrong word is worse than none."""
    path = tmp_path / f"{abs(hash(line))}.yaml"
    path.write_text(line + "\n")

    shown = render([Problem(str(path), 1, column, "", "wrong")], carets=True).splitlines()

    assert shown[1] == f"  1 | {line}"
    assert shown[2] == f"    | {mark}"


def test_a_long_line_is_shown_around_the_place(tmp_path: Path) -> None:
    """A megabyte in one line must not fill the terminal."""
    path = tmp_path / "long.yaml"
    path.write_text("a" * 5000 + " wrong " + "b" * 5000)

    shown = render([Problem(str(path), 1, 5002, "", "wrong")], carets=True).splitlines()

    assert len(shown[1]) < 120
    assert shown[1][shown[2].index("^") :].startswith("wrong ")
    assert shown[2].count("^") == 5


@pytest.mark.parametrize("content", [b"a: \x1b[2J", b"\xff\xfe", b"", b"a: \xe2\x80\xae x"])
def test_what_would_move_the_cursor_is_not_shown(tmp_path: Path, content: bytes) -> None:
    """The file comes from a stranger's pull request, the terminal is ours."""
    path = tmp_path / f"{content.hex() or 'empty'}.yaml"
    path.write_bytes(content)
    problem = Problem(str(path), 1, 1, "", "wrong")

    assert render([problem], carets=True) == render([problem])


def test_a_file_that_is_gone_has_no_marks(tmp_path: Path) -> None:
    """Drills built in Python have no lines at all."""
    problem = Problem(str(tmp_path / "gone.yaml"), 1, 1, "", "wrong")

    assert render([problem], carets=True) == render([problem])


def test_annotations_are_as_github_reads_them() -> None:
    """An unescaped comma or colon would cut the file's name, a line break start a new command."""
    problem = Problem("drills/a,b:c%.yaml", 4, 12, "fault.0", "100% wrong\n::error::x")

    assert render_github([problem]) == (
        "::error file=drills/a%2Cb%3Ac%25.yaml,line=4,col=12,title=fireproof check::"
        "fault.0: 100%25 wrong%0A::error::x"
    )


def test_very_many_problems_are_not_all_told(tmp_path: Path) -> None:
    """The first hundred are more than anybody reads, and in the order of the file."""
    wrong = "".join(f"k{number:04d}: x\n" for number in range(1500))

    problems = _problems(tmp_path / "many.yaml", wrong)

    assert len(problems) == MOST + 1
    assert problems[-1].text == f"more problems from here on; these are the first {MOST}"
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"k{number:05d}: x\n" for number in range(90_000)),
        "components:\n" + "- 5\n" * 250_000,
        "a: 1\n" * 200_000,
        "fault:\n" + "- {x: 1}\n" * 110_000,
        "? [" + "a," * 500_000 + "]\n: x\n",
    ],
    ids=["keys", "items", "twice", "steps", "key"],
)
def test_a_hostile_file_is_refused_soon(tmp_path: Path, content: str) -> None:
    """90,000 wrong keys took 17 s to describe, in a job that anybody's pull request starts."""
    started = time.perf_counter()
    problems = _problems(tmp_path / "hostile.yaml", content)
    took_s = time.perf_counter() - started

    assert len(problems) <= MOST + 1
    ends = (f"expected at most {MAX_NODES} values, got more", "more problems from here on; ")
    assert problems[-1].text.startswith(ends)
    assert took_s < 10, "it takes 0.3 s on an idle machine"
