"""Folders of tests as a user would write them, run by the real pytest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.processes import descendants
from support.steps import left_running, run_step, step_context

pytestmark = pytest.mark.component


def write(project: Path, text: str) -> None:
    (project / "restored").mkdir()
    (project / "restored" / "test_content.py").write_text(text)
    # Neither the project's configuration nor its plugins may change the outcome.
    (project / "pyproject.toml").write_text("[tool.pytest]\naddopts = ['--no-such-option']\n")


def test_each_test_is_a_check_and_nothing_is_left_in_the_project(tmp_path: Path) -> None:
    """The auditor reads the checks; the owner keeps a clean checkout."""
    write(
        tmp_path,
        """
import os
import pytest

def test_url():
    assert os.environ["FP_LEDGER_API_BASE_URL"] == "http://127.0.0.1:9"
    assert os.environ["FP_RUN"]

@pytest.mark.parametrize("n", [1, 2])
def test_n(n):
    assert n == 1

@pytest.fixture
def broken():
    raise RuntimeError("no fixture")

def test_broken(broken): ...

def test_later():
    pytest.skip("not today")
""",
    )
    api = {"kind": "http", "base-url": "http://127.0.0.1:9"}

    result = run_step({"pytest": "restored"}, step_context(tmp_path, {"ledger-api": api}))

    assert result.ok is False
    assert {check.name: check.ok for check in result.checks} == {
        "test_content::test_url": True,
        "test_content::test_n[1]": True,
        "test_content::test_n[2]": False,
        "test_content::test_broken": False,
        "test_content::test_later": None,
    }
    assert result.checks[2].observed.startswith("failed: assert 2 == 1")
    assert {Path(file).name for file in result.files} == {"junit.xml", "pytest.txt"}
    left = {path.name for path in tmp_path.rglob("*")} - {"bag", "data", "outputs"}
    assert left == {
        "pyproject.toml",
        "restored",
        "test_content.py",
        "verify-00-step",
        "junit.xml",
        "pytest.txt",
    }


@pytest.mark.parametrize(
    ("text", "ok", "says"),
    [
        ("def test_a(): pass", True, "1 passed, 0 failed"),
        ("x = 1", None, "no tests collected"),
        ("import os\ndef test_a(): os._exit(0)", None, "no readable report, exit 0"),
        ("import os, signal\ndef test_a(): os.kill(os.getpid(), 9)", None, "exit -9"),
        ("def test_a(:", False, "test_content"),
        ("import nothing_like_it", False, "test_content"),
        ("import pytest\ndef test_a(): pytest.skip()", None, "1 skipped"),
        ("import pytest\ndef test_a(): pytest.exit('enough', returncode=0)", None, "exit 0"),
    ],
    ids=["passes", "empty", "exits", "dies", "syntax", "import", "skips", "stops"],
)
def test_only_tests_that_ran_and_passed_are_a_pass(
    tmp_path: Path, text: str, ok: bool | None, says: str
) -> None:
    """Exit code 0 alone has been green for a suite that never ran."""
    write(tmp_path, text)

    result = run_step({"pytest": "restored"}, step_context(tmp_path))

    assert result.ok is ok
    assert says in result.detail


@pytest.mark.usefixtures("subreaper")
def test_a_test_that_hangs_is_ended(tmp_path: Path) -> None:
    """A restored database that answers nothing would otherwise hold the drill."""
    write(tmp_path, "import subprocess\ndef test_a(): subprocess.run(['sleep', '1000'])")
    before = descendants(os.getpid())

    result = run_step({"pytest": "restored", "timeout": "2s"}, step_context(tmp_path, timeout_s=2))

    assert result.ok is False
    assert result.detail == "restored: did not end within 2s; killed"
    assert not left_running(before)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """Pytest itself would call it a usage error and print a page."""
    with pytest.raises(StepError, match="there is no folder of tests"):
        run_step({"pytest": "gone"}, step_context(tmp_path))
