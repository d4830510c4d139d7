"""The identity provider as a process: ``identity PORT [--defect NAME]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from proving_ground.identity.app import Identity
from proving_ground.identity.keyring import Keyring
from proving_ground.identity.mint import Mint
from proving_ground.ledger import defects
from proving_ground.serving import serve

_VARIABLES = {
    "IDENTITY_KEYS": "file of its keys; made when it is not there",
    "IDENTITY_ISSUER": "who signs",
    "IDENTITY_AUDIENCE": "for whom",
    "IDENTITY_SECRET": "who knows it may rotate keys and have tokens made",
    "IDENTITY_TLS": "certificate and key in one file",
}


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; 78, before the port opens, for what is missing."""
    rest = defects.take(argv, "identity")
    if len(rest) != 1 or not rest[0].isdigit():
        print("usage: python -m proving_ground identity PORT [--defect NAME]", file=sys.stderr)
        return 2
    missing = [f"{name} ({what})" for name, what in _VARIABLES.items() if not os.environ.get(name)]
    if missing:
        print("identity: required and not set: " + ", ".join(missing), file=sys.stderr)
        return 78
    ring = Keyring(Path(os.environ["IDENTITY_KEYS"]))
    mint = Mint(os.environ["IDENTITY_ISSUER"], os.environ["IDENTITY_AUDIENCE"])
    serve(
        Identity(ring, mint, os.environ["IDENTITY_SECRET"].strip()).app(),
        int(rest[0]),
        grace_s=2,
        ssl_certfile=os.environ["IDENTITY_TLS"],
    )
    return 0
