"""One lab with the switch and its replicas for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from proving_ground.lab import Lab
from support.small_lab import small_lab


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    with small_lab("switch") as found:
        yield found


@pytest.fixture(scope="package")
def components(lab: Lab) -> dict[str, Any]:
    """Its components as a drill sees them."""
    found: dict[str, Any] = lab.environment()["components"]
    return found
