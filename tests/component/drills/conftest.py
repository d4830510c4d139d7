from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.lab_project import LabProject


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProject]:
    """A lab of its own; drills that end red give it back as it was."""
    found = LabProject(tmp_path_factory.mktemp("project"))
    found.up()
    yield found
    assert found.down() == []
