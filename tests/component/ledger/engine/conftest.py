"""One lab for the tests of this folder: the engine, the window and the chain of providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from proving_ground.lab import Lab
from support.small_lab import small_lab


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    with small_lab("ledger-proofs", "ledger-window", "ledger-notices") as lab:
        yield lab


@pytest.fixture(scope="package")
def components(lab: Lab) -> dict[str, Any]:
    """Its components as a drill sees them."""
    found: dict[str, Any] = lab.environment()["components"]
    return found
