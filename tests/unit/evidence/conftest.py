from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.evidence import EvidenceRoot
from support.evidence import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh evidence folder with a key of its own."""
    return Bench(EvidenceRoot(tmp_path / "evidence"))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bench]:
    """One sealed bundle, for tests that only read it or copy it."""
    bench = Bench(EvidenceRoot(tmp_path_factory.mktemp("sealed") / "evidence"))
    return bench.sealed().path, bench
