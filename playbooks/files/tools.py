"""Backup tools that take the place of our own files, by the variable ``tool``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from archive import Checks, Stop


class Tool(Protocol):
    """What a drill asks of one."""

    name: str

    def back_up(self, checks: Checks) -> dict[str, Any]:
        """A complete backup: name, end_lsn, digests of its files, and what else is known of it."""
        ...

    def fetch(
        self,
        backup: dict[str, Any],
        fresh: Path,
        checks: Checks,
        spoil: Callable[[Path], None] | None = None,
    ) -> None:
        """Its data directory in a fresh folder; ``spoil`` is shown a copy of the backup first."""
        ...

    def restore_command(self, fresh: Path) -> str:
        """Shell words in front of a segment's name and the path for it."""
        ...


def find_tool(wanted: dict[str, Any]) -> Tool | None:
    """The tool that was asked for; None for our own files."""
    name = wanted.get("tool") or ""
    if not name:
        return None
    if name == "pgbackrest":
        from pgbackrest import PgBackRest

        return PgBackRest(wanted)
    if name == "barman-cloud":
        from barman_cloud import BarmanCloud

        return BarmanCloud(wanted)
    raise Stop(f"tool: expected pgbackrest, barman-cloud or nothing, got {name!r}")


def must_be_intact(
    recorded: Mapping[str, str], there: Mapping[str, str], what: str, checks: Checks
) -> None:
    """Digests of a backup when it was made and now, by name; ``what`` these names are of."""
    names = sorted(recorded.keys() | there.keys())
    wrong = [name for name in names if recorded.get(name) != there.get(name)]
    checks.must(
        "backup-intact",
        not wrong,
        f"{len(recorded)} {what} as recorded when the backup was made",
        f"these differ: {', '.join(wrong[:3])}"
        if wrong
        else f"{len(recorded)} {what}, all the same",
    )
