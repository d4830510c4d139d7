"""A JUnit file and an exit code become checks, and doubt stays doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.model.ports import Check
from fireproof.steps.junit import read_junit
from fireproof.steps.pytest_folder import judge_tests

HEAD = '<?xml version="1.0"?><testsuites><testsuite>'
TAIL = "</testsuite></testsuites>"


def report(tmp_path: Path, cases: str) -> tuple[Check, ...] | None:
    (tmp_path / "junit.xml").write_text(HEAD + cases + TAIL)
    return read_junit(tmp_path / "junit.xml")


def test_a_failing_teardown_is_not_hidden_by_the_pass_before_it(tmp_path: Path) -> None:
    """A test that fails so is reported twice, and the pass comes first."""
    passed = '<testcase file="test_a.py" classname="test_a" name="test_x" time="0.1"/>'
    failed = passed.replace("/>", '><error message="boom"/></testcase>')

    assert report(tmp_path, passed + failed) == (
        Check("test_a::test_x", False, "passes", "error: boom"),
    )


def test_a_test_that_was_imported_is_named_after_where_it_ran(tmp_path: Path) -> None:
    """Else two modules that run the same test would hide each other's verdict."""
    cases = [
        f'<testcase file="test_a.py" classname="{where}" name="test_x" time="0"/>'
        for where in ("test_a", "test_a_again", "sub.test_b")
    ]

    checks = report(tmp_path, "".join(cases))

    assert checks is not None
    names = [check.name for check in checks]
    assert names == ["test_a::test_x", "test_a_again::test_x", "sub/test_b::test_x"]


def test_names_carry_folder_class_and_parameters(tmp_path: Path) -> None:
    """An objective names a check; the name must not move between runs."""
    case = '<testcase file="sub/test_a.py" classname="sub.test_a.TestB" name="test_x[1]" time="0"/>'

    checks = report(tmp_path, case)

    assert checks is not None
    assert checks[0].name == "sub/test_a::TestB::test_x[1]"


@pytest.mark.parametrize("text", ["", "<a", "<html/>"])
def test_what_is_not_junit_is_no_report(tmp_path: Path, text: str) -> None:
    """A torn report must not read as one without failures."""
    (tmp_path / "junit.xml").write_text(text)

    assert read_junit(tmp_path / "junit.xml") is None


PASS = Check("a", True, "passes", "passed in 0.10 s")
FAIL = Check("b", False, "passes", "failed: no")
SKIP = Check("c", None, "passes", "skipped: no")


@pytest.mark.parametrize(
    ("returncode", "checks", "ok"),
    [
        (0, [PASS], True),
        (0, [PASS, SKIP], None),  # a skipped test shows nothing
        (0, [], None),
        (0, None, None),
        (0, [PASS, FAIL], None),  # the report and the exit code disagree
        (1, [PASS, FAIL], False),
        (1, [PASS], None),
        (2, [FAIL], False),
        (2, [], None),
        (3, [PASS], None),
        (4, None, None),
        (5, [], None),
        (5, [PASS], None),
        (-9, [PASS], None),
        (77, [FAIL], None),
    ],
)
def test_only_a_report_that_fits_the_exit_code_counts(
    returncode: int, checks: list[Check] | None, ok: bool | None
) -> None:
    """An exit code alone is green when a test calls os._exit(0)."""
    assert judge_tests(returncode, checks)[0] is ok


def test_a_measured_number_stands_beside_its_limit(tmp_path: Path) -> None:
    """``record_property`` hands them over; without it a report says only that a test passed."""
    told = (
        '<properties><property name="expected" value="at most 1.5 s"/>'
        '<property name="observed" value="{} s"/></properties>'
    )
    head = '<testcase file="test_a.py" classname="test_a" name="{}" time="0">'
    good = head.format("test_x") + told.format("0.9") + "</testcase>"
    bad = head.format("test_y") + told.format("3.0") + '<failure message="no"/></testcase>'

    assert report(tmp_path, good + bad) == (
        Check("test_a::test_x", True, "at most 1.5 s", "0.9 s"),
        Check("test_a::test_y", False, "at most 1.5 s", "3.0 s; failed: no"),
    )
