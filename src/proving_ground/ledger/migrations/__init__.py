"""The schema, step by step: ``sql/NAME.up.sql`` and ``sql/NAME.down.sql``, run by Alembic.

Names that begin with a number are the trunk, in that order; every fresh database gets all of it.
Others follow the trunk when somebody migrates. A lab provisions with the same files and without
Alembic, whose import alone costs more than all of the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
VERSION_TABLE = """
CREATE TABLE alembic_version (
    version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
)
"""


def trunk() -> list[str]:
    """Revisions of a fresh database, oldest first."""
    return sorted(name for name in _names() if name[0].isdigit())


def sql(revision: str, way: str) -> str:
    """Its statements, ``up`` or ``down``."""
    return (HERE / "sql" / f"{revision}.{way}.sql").read_text("utf-8")


def step(file: str) -> tuple[str, str | None, Callable[[], None], Callable[[], None]]:
    """What Alembic reads from a file of ``versions/``: revision, the one before, up, down."""
    revision = Path(file).stem
    before = [name for name in trunk() if not revision[0].isdigit() or name < revision]

    def run(way: str) -> None:
        from alembic import op

        # Past SQLAlchemy, to which a colon in a comment would be a parameter.
        op.get_bind().exec_driver_sql(sql(revision, way).replace("%", "%%"))

    return revision, (before[-1] if before else None), lambda: run("up"), lambda: run("down")


def _names() -> set[str]:
    return {path.name.removesuffix(".up.sql") for path in (HERE / "sql").glob("*.up.sql")}
