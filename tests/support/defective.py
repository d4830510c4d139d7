"""Known defects, switched on in this process for the length of a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from proving_ground.ledger import defects


@contextlib.contextmanager
def defective(*names: str) -> Iterator[None]:
    """As ``--defect NAME`` would, and off again."""
    for name in names:
        assert defects.take(["--defect", name], defects.DEFECTS[name].process) == []
    try:
        yield
    finally:
        defects._on.difference_update(names)
