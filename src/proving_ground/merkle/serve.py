"""The engine as a process: ``engine PORT [--defect NAME]``, its settings in ``ENGINE_*``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proving_ground.ledger import defects
from proving_ground.ledger.logs import set_up_logs
from proving_ground.ledger.settings import BAD_CONFIGURATION
from proving_ground.merkle.app import EngineApp
from proving_ground.merkle.engine import Engine, EngineMeters
from proving_ground.merkle.feed import DatabaseFeed
from proving_ground.merkle.note import ORIGIN, load_private_key
from proving_ground.serving import serve

_KNOWN = ("ENGINE_DSN", "ENGINE_KEY_FILE", "ENGINE_ORIGIN", "ENGINE_EVERY_MS")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine reads from its environment."""

    dsn: str  # ENGINE_DSN: names a passfile, not a password
    key: Ed25519PrivateKey  # ENGINE_KEY_FILE: PEM, its owner's alone
    origin: str  # ENGINE_ORIGIN: name of the log in every checkpoint
    every_s: float  # ENGINE_EVERY_MS: pause between rounds when nothing is new


def load_engine_settings(environ: Mapping[str, str]) -> EngineSettings | list[str]:
    """The settings, or every problem there is."""
    ours = {name for name in environ if name.startswith("ENGINE_")}
    problems = [f"{name}: is not a setting" for name in sorted(ours - set(_KNOWN))]
    dsn, every = environ.get("ENGINE_DSN", ""), environ.get("ENGINE_EVERY_MS", "50")
    if not dsn:
        problems.append("ENGINE_DSN: is required")
    if not (every.isascii() and every.isdigit() and 0 < int(every[:9]) <= 60_000):
        problems.append("ENGINE_EVERY_MS: expected 1 to 60000")
    key = None
    try:
        key = load_private_key(Path(environ["ENGINE_KEY_FILE"]))
    except KeyError:
        problems.append("ENGINE_KEY_FILE: is required")
    except ValueError as err:
        problems.append(f"ENGINE_KEY_FILE: {err}")
    if problems or key is None:
        return problems
    return EngineSettings(dsn, key, environ.get("ENGINE_ORIGIN", ORIGIN), int(every) / 1000)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; 78 before the port opens: wrong settings."""
    rest = defects.take(argv, "engine")
    if len(rest) != 1 or not rest[0].isdigit():
        print("usage: python -m proving_ground engine PORT [--defect NAME]", file=sys.stderr)
        return 2
    settings = load_engine_settings(os.environ)
    set_up_logs("merkle-engine", "info", "")
    if not isinstance(settings, EngineSettings):
        logging.getLogger("ledger").critical("wrong configuration", extra={"problems": settings})
        return BAD_CONFIGURATION
    feed, meters = DatabaseFeed(settings.dsn), EngineMeters()
    engine = Engine(feed, settings.key, settings.origin, settings.every_s, meters)
    serve(EngineApp(engine, feed, meters).app(), int(rest[0]), grace_s=5)
    return 0
