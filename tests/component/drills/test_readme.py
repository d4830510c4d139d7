"""The README shows what really happens: its output is compared with a real drill's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[3]
MARK = "<!-- the output below is compared with the real one"

pytestmark = pytest.mark.component


def shown() -> str:
    """The fenced block after the mark."""
    text = (HERE / "README.md").read_text("utf-8")
    return text.split(MARK, 1)[1].split("```\n", 1)[1].split("```", 1)[0]


def without_numbers(text: str) -> list[str]:
    """Lines with everything that differs from run to run made equal; order kept."""
    lines = []
    for line in text.splitlines():
        if line.startswith("fireproof: made a signing key"):
            continue  # said once a checkout; the README shows a later drill
        if "  … still: " in line:
            continue  # the heartbeat of a machine that took longer than a minute
        line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "RUN", line)
        line = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", line)
        line = re.sub(r"/\S+/(lab|fireproof-lab-\w+-\w+)(?=/|\s|$)", "LAB", line)
        line = re.sub(r"\d+(\.\d+)?( ms| m \d+ s| s|\b)", "N", line)
        lines.append(re.sub(r"\s+", " ", line).strip())
    return lines


def test_a_drill_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """A stranger compares their screen with the README and trusts what agrees."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FIREPROOF_")}
    place = tmp_path / "project"
    place.mkdir()
    for name in ("drills", "playbooks"):
        (place / name).symlink_to(HERE / name)
    lab = f"/var/tmp/fp-readme-{os.getpid()}/lab"
    Path(lab).parent.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fireproof", "run", "drills/backup-restore.yaml", "--with-lab"],
            cwd=place,
            env=environ | {"FIREPROOF_LAB_DIR": lab},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
        )
    finally:
        Path(lab).parent.rmdir()  # fails when the lab left anything behind

    assert done.returncode == 0, done.stdout
    assert without_numbers(done.stdout) == without_numbers(shown())
    assert len(list(place.glob("evidence/bundles/*/*/*/run.json"))) == 1


def test_a_changed_readme_would_be_noticed() -> None:
    """The comparison drops numbers, not words."""
    text = shown()

    assert without_numbers(text.replace("PASSED", "FAILED")) != without_numbers(text)
    assert without_numbers(text.replace("met  recovery", "MISSED  recovery")) != without_numbers(
        text
    )
