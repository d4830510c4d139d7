"""What every check of the guards begins with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clients import Identity, Ledger


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity()


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def compare(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Both values go into the evidence, then they are compared."""

    def told(observed: object, expected: object) -> None:
        record_property("expected", str(expected))
        record_property("observed", str(observed))
        assert observed == expected

    return told


@pytest.fixture
def at_most(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """A measured number and its limit go into the evidence, then they are compared."""

    def told(observed: float, limit: float, unit: str) -> None:
        record_property("expected", f"at most {limit:g} {unit}")
        record_property("observed", f"{observed:.3f} {unit}")
        assert observed <= limit

    return told
