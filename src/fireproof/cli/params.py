"""``--param NAME=VALUE`` and ``--profile``, as the loader wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fireproof.cli.settings import RunSettings
from fireproof.errors import UsageError
from fireproof.model.params import Asked, Profile


def asked_for(settings: RunSettings) -> Asked:
    """Profile and values of a run; raises as ``parse_params`` does."""
    return Asked(cast(Profile, settings.profile), parse_params(settings.params))


def parse_params(words: Sequence[str]) -> dict[str, str]:
    """Values by name.

    Raises:
        UsageError: a word is not NAME=VALUE, or a name comes twice.
    """
    found: dict[str, str] = {}
    wrong = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not word.isprintable():
            wrong.append(f"--param: expected NAME=VALUE, got {word!r}")
        elif name in found:
            wrong.append(f"--param: {name!r} is given twice")
        found[name] = value
    if wrong:
        raise UsageError("\n".join(wrong))
    return found
