from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scenario import Scenario


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()
