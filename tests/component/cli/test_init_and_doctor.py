"""The first minutes in somebody else's repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter

pytestmark = pytest.mark.component


def _call(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIREPROOF_")}
    return subprocess.run(
        [sys.executable, "-m", "fireproof", *words],
        cwd=folder,
        env=kept | {"FIREPROOF_LAB_DIR": str(folder / "lab")} | more,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_init_writes_passes_check_and_says_what_is_next(tmp_path: Path) -> None:
    """The first thing a new user sees should work."""
    done = _call(tmp_path, "init")

    assert done.returncode == 0, done.stderr
    assert "wrote  drills/restart-database.yaml" in done.stdout
    assert "fireproof run drills/restart-database.yaml --with-lab" in done.stdout
    checked = _call(tmp_path, "check", "-e", "mine")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == "1 drills and 0 game days and 1 environments: no problems\n"
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {
        ".github/workflows/drills.yml",
        "drills/drill.schema.json",
        "drills/restart-database.yaml",
        "environments/mine.yaml",
        "evidence/.gitignore",
        "fireproof.mk",
        "playbooks/start.yml",
    }
    listed = subprocess.run(
        ["make", "--no-print-directory", "-n", "-f", "fireproof.mk", "drill-restart-database"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert listed.stdout == "fireproof run drills/restart-database.yaml -e mine\n"


def test_init_never_changes_what_is_there(tmp_path: Path) -> None:
    """It is run in repositories that people have worked in for years."""
    (tmp_path / "drills").mkdir()
    (tmp_path / "drills" / "restart-database.yaml").write_text("mine\n")
    (tmp_path / "elsewhere").write_text("precious\n")
    (tmp_path / "fireproof.mk").symlink_to("elsewhere")

    first, second = _call(tmp_path, "init", "--ci", "gitlab"), _call(tmp_path, "init")

    assert "kept   drills/restart-database.yaml" in first.stdout
    assert "kept   fireproof.mk" in first.stdout
    assert "wrote  fireproof.gitlab-ci.yml" in first.stdout
    assert second.stdout.count("wrote") == 1  # only the other CI's job
    assert (tmp_path / "drills" / "restart-database.yaml").read_text() == "mine\n"
    assert (tmp_path / "elsewhere").read_text() == "precious\n"


def test_init_into_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A traceback is no greeting."""
    (tmp_path / "drills").write_text("a file\n")

    done = _call(tmp_path, "init")

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "drills" in done.stderr


def test_doctor_is_content_with_a_good_machine(tmp_path: Path) -> None:
    """Every finding that is none would teach people to ignore it."""
    _call(tmp_path, "init")

    done = _call(tmp_path, "doctor")

    assert done.returncode == 0, done.stdout
    assert "MISSING" not in done.stdout
    assert done.stdout.endswith("drills can run\n")


def test_doctor_names_what_is_wrong_and_the_next_move(tmp_path: Path) -> None:
    """A run that nobody ended may have left a fault; a key that others read signs for them."""
    folder = RunFolder(tmp_path / "evidence" / "runs" / "01-left-behind")
    os.close(folder.create())
    JournalWriter.create(folder.journal, ballast=folder.ballast).close()
    begun = RunFolder(tmp_path / "evidence" / "runs" / "02-just-begun")
    os.close(begun.create())
    os.utime(begun.root, (0, 0))
    for name, mode in (("keys/runner.pem", 0o644), ("trust/runner.pub.pem", 0o644)):
        path = tmp_path / "evidence" / name
        path.parent.mkdir()
        path.write_text("-")
        path.chmod(mode)
    (tmp_path / "lab").mkdir()

    done = _call(tmp_path, "doctor", PATH="/nonexistent")

    assert done.returncode == 3
    lines = done.stdout.splitlines()
    left = next(i for i, line in enumerate(lines) if "01-left-behind was never brought" in line)
    assert lines[left + 1] == f"         -> fireproof recover {folder.root}"
    assert f"         -> chmod 600 {tmp_path}/evidence/keys/runner.pem" in lines
    assert f"note     an earlier lab left {tmp_path}/lab" in lines
    assert "         -> fireproof init writes the first" in lines
    assert lines[-1] == "2 to mend before drills can run"
    assert begun.root.exists(), "doctor only looks"


def test_doctor_names_an_extra_that_is_not_installed(tmp_path: Path) -> None:
    """An auditor's install has no ansible, and says what to install rather than a traceback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('httpx', 'boto3') else find(name, *a)\n"
    )

    done = _call(tmp_path, "doctor", PYTHONPATH=str(tmp_path))

    assert done.returncode == 3
    assert "MISSING  extra [run]: without httpx\n         -> pip install 'fireproof[run]'" in (
        done.stdout
    )
    assert "note     extra [lab]: without boto3" in done.stdout


def test_problems_become_annotations(tmp_path: Path) -> None:
    """A reviewer sees them beside the line that was changed."""
    _call(tmp_path, "init")
    path = tmp_path / "drills" / "restart-database.yaml"
    path.write_text(path.read_text().replace("rto: 1m", "rto: soon"))

    done = _call(tmp_path, "check", "--github", "--carets")

    assert done.returncode == 2
    assert done.stdout.startswith(
        "::error file=drills/restart-database.yaml,line=18,col=24,title=fireproof check::"
        "objectives.recovery-time.rto: expected a duration such as 90s, 15m or 4h, got 'soon'"
    )
    assert "  18 |   recovery-time: {rto: soon, from" in done.stderr
    assert "^^^^\n" in done.stderr
