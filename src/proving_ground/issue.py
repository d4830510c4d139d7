"""Certificates of the lab's authority: ``issue --ca FOLDER --to FILE --name NAME ...``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from proving_ground.authority import Authority, expires_at


def main(argv: list[str]) -> int:
    """Write the file, whole or not at all, and say when its certificate ends."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground issue")
    parser.add_argument("--ca", type=Path, required=True, help="folder of the authority")
    parser.add_argument("--to", type=Path, required=True, help="certificate and key go there")
    parser.add_argument("--name", action="append", required=True, help="DNS name or address")
    parser.add_argument("--for-s", type=float, default=86400.0, help="negative: already expired")
    parser.add_argument("--client", action="store_true")
    given = parser.parse_args(argv)
    try:
        authority = Authority.load(given.ca)
        authority.issue(given.to, given.name, valid_for_s=given.for_s, for_client=given.client)
    except (OSError, ValueError) as err:
        print(f"issue: {err}", file=sys.stderr)
        return 1
    print(json.dumps({"file": str(given.to), "ends": f"{expires_at(given.to):%Y-%m-%dT%H:%M:%SZ}"}))
    return 0
