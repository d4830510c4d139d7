from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.crash_record import write_line
from support.scenario import Scenario

_facts = pytest.StashKey[dict[str, Any]]()


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()


@pytest.fixture
def facts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a test tells about a kill; written down however the test ends."""
    found: dict[str, Any] = request.node.stash.setdefault(_facts, {})
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    told = item.stash.get(_facts, None)
    if call.when == "call" and told:
        why = "" if call.excinfo is None else call.excinfo.exconly()[:2000]
        write_line(told | {"test": item.nodeid, "ok": report.passed, "why": why})
    return report
