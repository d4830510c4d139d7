"""Suites with a target of their own run when asked for, and are named when they are not."""

from __future__ import annotations

import pytest

OWN_TARGET = {"editor": "make test-editor", "debian": "make test-debian"}
_left_out = pytest.StashKey[dict[str, int]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = str(config.getoption("markexpr"))
    left_out: dict[str, int] = {}
    kept: list[pytest.Item] = []
    gone: list[pytest.Item] = []
    for item in items:
        own = [name for name in OWN_TARGET if item.get_closest_marker(name) and name not in asked]
        for name in own:
            left_out[name] = left_out.get(name, 0) + 1
        (gone if own else kept).append(item)
    config.stash[_left_out] = left_out
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = kept


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for name, count in config.stash.get(_left_out, {}).items():
        terminalreporter.write_line(f"not run here: {count} tests of {OWN_TARGET[name]}")
