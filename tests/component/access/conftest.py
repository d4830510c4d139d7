"""One lab with both instances of the guarded ledger and the one in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.guarded import Guarded
from support.small_lab import small_lab


@pytest.fixture(scope="package")
def components() -> Iterator[dict[str, Any]]:
    """Its components as a drill sees them."""
    with small_lab("ledger-secure-2", "ledger-memory", "ledger-caller") as lab:
        found: dict[str, Any] = lab.environment()["components"]
        yield found


@pytest.fixture
def at(components: dict[str, Any]) -> Iterator[Callable[..., Guarded]]:
    """Clients of instances by name, closed when the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda name="ledger-secure": stack.enter_context(
            contextlib.closing(Guarded(components, name))
        )
