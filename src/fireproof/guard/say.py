"""A line for the person at the other end, from processes that must outlive it."""

from __future__ import annotations

import contextlib
import sys


def say(text: str) -> None:
    """A line for the person, if there still is one: a lost terminal stops no undo."""
    with contextlib.suppress(Exception):
        print(text, file=sys.stderr, flush=True)
