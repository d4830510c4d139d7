"""Clouds' libraries are loaded for keys in clouds alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[3] / "evidence" / "sample"
CODE = """
import sys
from pathlib import Path
from fireproof.evidence.keys import load_public_key
from fireproof.evidence.signers import all_signers

key = load_public_key(Path(sys.argv[1]))
assert "boto3" not in sys.modules, "a key in a file loaded it"
all_signers()
assert sys.modules["securesystemslib.signer._aws_signer"].AWS_IMPORT_ERROR is None
import boto3
again = load_public_key(Path(sys.argv[1]))
assert again.keyid == key.keyid
"""


def test_a_key_in_a_file_loads_no_cloud_and_one_in_a_cloud_still_can() -> None:
    """Every run and every verification would wait a tenth of a second for nothing."""
    public = next(SAMPLE.rglob("*.pub.pem"))
    argv = [sys.executable, "-c", CODE, str(public)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
