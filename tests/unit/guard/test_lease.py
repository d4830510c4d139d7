"""Two drills never hit one component at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from fireproof.guard.lease import Lease


def test_a_component_under_drill_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    """The second drill would measure the first one's fault."""
    first, second = Lease(tmp_path / "leases"), Lease(tmp_path / "leases")
    first.take("lab", ["db"], "run 1")

    with pytest.raises(EnvironmentRefusal, match="'db' is under drill by run 1"):
        second.take("lab", ["api", "db"], "run 2")
    first.release()
    second.take("lab", ["api", "db"], "run 2")
    second.release()


def test_all_or_none(tmp_path: Path) -> None:
    """A refused drill may not keep the components that were free."""
    first, second, third = (Lease(tmp_path / "leases") for _ in range(3))
    first.take("lab", ["db"], "run 1")
    with pytest.raises(EnvironmentRefusal):
        second.take("lab", ["api", "db"], "run 2")

    third.take("lab", ["api"], "run 3")

    third.release()
    first.release()


def test_the_same_name_elsewhere_is_another_component(tmp_path: Path) -> None:
    """Two labs each have a db."""
    first, second = Lease(tmp_path / "leases"), Lease(tmp_path / "leases")
    first.take("lab-a", ["db"], "run 1")

    second.take("lab-b", ["db"], "run 2")

    first.release()
    second.release()
