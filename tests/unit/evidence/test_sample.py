"""The sample bundle was sealed once and verifies for ever: a change of format shows here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "evidence" / "sample"
KEY = SAMPLE / "runner.pub.pem"
MISSING = (
    f"expected one sealed bundle {SAMPLE}/<run-id>/ and its public key {KEY}; it is part of the "
    "repository and must not be sealed anew: old evidence has to stay readable"
)


@pytest.fixture
def sample() -> Path:
    found = [path for path in SAMPLE.iterdir() if path.is_dir()] if SAMPLE.is_dir() else []
    assert len(found) == 1, MISSING
    assert KEY.is_file(), MISSING
    return found[0]


def test_the_sample_verifies_and_recomputes(sample: Path) -> None:
    """Evidence outlives the version that made it; whoever breaks this breaks every old bundle."""
    from fireproof.cli.recompute import recompute
    from fireproof.evidence import load_trusted_keys, verify_bundle
    from fireproof.journal import read_journal

    report = verify_bundle(sample, load_trusted_keys([KEY], bundle=sample), recompute, read_journal)

    assert report.ok, "\n".join(report.problems)


def test_the_sample_passes_its_own_script(sample: Path) -> None:
    """The script an auditor finds in an old bundle must go on working."""
    argv = ["sh", str(sample / "verify.sh"), str(KEY)]

    assert subprocess.run(argv, check=False, capture_output=True).returncode == 0
