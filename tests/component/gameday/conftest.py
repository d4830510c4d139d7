from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gamedays import GameDays
from support.scenario import Scenario


@pytest.fixture
def days(tmp_path: Path) -> Iterator[GameDays]:
    scenario = Scenario(tmp_path)
    yield GameDays(scenario)
    scenario.close()
