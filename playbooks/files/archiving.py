"""A tool's own archive of the WAL, beside the one that is there."""

from __future__ import annotations

from pathlib import Path

from archive import run

_CONFIGURED = (
    "SELECT setting FROM pg_file_settings WHERE name = 'archive_command' "
    "AND sourcefile NOT LIKE '%.auto.conf' ORDER BY seqno DESC LIMIT 1"
)


def archive_also(database: dict[str, str], command: str) -> None:
    """Each segment counts as archived when both archives hold it.

    So a restore point that is confirmed lies in the tool's archive, too.
    """
    psql = [str(Path(database["bin"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]
    psql += [database["admin-dsn"], "-c"]
    own = run([*psql, _CONFIGURED], "psql").strip()
    both = f'{own} && {command} "%p"'.replace("'", "''")
    run([*psql, f"ALTER SYSTEM SET archive_command = '{both}'"], "psql")
    run([*psql, "SELECT pg_reload_conf()"], "psql")


def forget_archiving(fresh: Path) -> None:
    """The copy archives as its own configuration says, not as the drill had told its source."""
    settings = fresh / "postgresql.auto.conf"
    lines = settings.read_text("utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("archive_command")))
