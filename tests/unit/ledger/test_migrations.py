"""The files of the schema's steps."""

from __future__ import annotations

from proving_ground.ledger.migrations import HERE, step, trunk


def test_every_step_goes_up_and_down_and_is_known_to_alembic() -> None:
    """A step without a way back cannot be rolled back at night."""
    ups = {path.name.removesuffix(".up.sql") for path in HERE.glob("sql/*.up.sql")}
    downs = {path.name.removesuffix(".down.sql") for path in HERE.glob("sql/*.down.sql")}
    known = {path.stem for path in HERE.glob("versions/[0-9a-z]*.py")}

    assert ups == downs == known
    assert all(len(name) <= 32 for name in ups)  # what alembic_version can hold


def test_the_trunk_is_one_line_and_the_demo_follows_it() -> None:
    """Two steps after the same one would leave Alembic with two heads."""
    before = {name: step(f"/x/{name}.py")[1] for name in trunk()}

    assert list(before.values()) == [None, *trunk()[:-1]]
    assert step("/x/v2_source.py")[1] == trunk()[-1]
