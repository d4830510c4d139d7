"""WAL into the archive and out of it, and the points that a restore may aim at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from proving_ground.lab import Lab

pytestmark = [pytest.mark.component, pytest.mark.full]


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, check=False, timeout=60
    )


def rclone(components: dict[str, Any], act: str, path: str, *words: str) -> str:
    archive = components["archive"]
    command = [archive["rclone"], "--config", archive["rclone-config"], act]
    return run(*command, *words, f"{archive['remote']}/{path}").stdout


def test_a_segment_comes_back_as_it_went(lab: Lab, tmp_path: Path) -> None:
    """Every restore stands on this."""
    segment, back = tmp_path / "segment", tmp_path / "back"
    segment.write_bytes(os.urandom(1 << 20))

    assert run(lab.root / "bin/archive-wal", segment, "segment-1").returncode == 0
    assert run(lab.root / "bin/archive-wal", segment, "segment-1").returncode == 0
    assert run(lab.root / "bin/restore-wal", "segment-1", back).returncode == 0
    assert back.read_bytes() == segment.read_bytes()


def test_an_archived_segment_is_never_replaced(lab: Lab, tmp_path: Path) -> None:
    """Two servers that archive to one place would destroy each other's history."""
    first, second, back = (tmp_path / name for name in ("first", "second", "back"))
    first.write_bytes(b"a" * 4096)
    second.write_bytes(b"b" * 4096)
    run(lab.root / "bin/archive-wal", first, "segment-2")

    assert run(lab.root / "bin/archive-wal", second, "segment-2").returncode != 0
    run(lab.root / "bin/restore-wal", "segment-2", back)
    assert back.read_bytes() == first.read_bytes()


def test_only_a_missing_file_is_a_missing_file(
    lab: Lab, components: dict[str, Any], tmp_path: Path
) -> None:
    """Postgres takes exit 1 for the end of the archive; said of an outage, it loses data."""
    restore, back = lab.root / "bin/restore-wal", tmp_path / "back"
    control = components["archive"]["control"]
    credentials = Path(components["archive"]["credentials"])
    words = credentials.read_bytes()
    assert run(restore, "no-such-segment", back).returncode == 1
    assert not back.exists()

    with credentials.open("r+b") as file:  # in place: it belongs to the servers' user
        file.write(words.replace(b"aws_secret_access_key = ", b"aws_secret_access_key = x"))
    assert run(restore, "no-such-segment", back).returncode > 125
    credentials.write_bytes(words)

    subprocess.run(control["stop"], check=True, capture_output=True)
    assert run(restore, "no-such-segment", back).returncode > 125
    assert run(lab.root / "bin/archive-wal", credentials, "x").returncode != 0

    bucket = lab.root / "archive/data" / components["archive"]["bucket"]
    os.rename(bucket, bucket.with_name("gone"))
    subprocess.run(control["start"], check=True, capture_output=True)
    assert run(restore, "no-such-segment", back).returncode > 125
    subprocess.run(control["stop"], check=True, capture_output=True)
    os.rename(bucket.with_name("gone"), bucket)
    subprocess.run(control["start"], check=True, capture_output=True)
    assert run(restore, "no-such-segment", back).returncode == 1


def test_a_confirmed_point_covers_what_was_written_before(components: dict[str, Any]) -> None:
    """The restore aims at the newest confirmed point: it must be real, and there."""
    url = components["ledger-api"]["url"]
    event = {"key": "covered", "body": "x"}
    seq = httpx.post(f"{url}/v1/t/events", json=event, timeout=5).json()["seq"]
    query = (
        b"SELECT max(name) FROM restore_points WHERE archived_at IS NOT NULL AND event_seq >= %d"
    )
    name = None
    give_up_at = time.monotonic() + 30
    with psycopg.connect(components["ledger-db"]["dsn"], autocommit=True) as conn:
        while name is None and time.monotonic() < give_up_at:
            row = conn.execute(query % seq).fetchone()
            name = row[0] if row else None
            time.sleep(0.1)
    published = json.loads(rclone(components, "cat", "restore-points/latest.json"))
    segments = rclone(components, "lsf", "wal").split()

    assert name is not None
    assert published["event_seq"] >= seq
    assert published["wal_file"] in segments


def test_an_idle_ledger_ships_nothing(components: dict[str, Any]) -> None:
    """A lab left up over night must not fill the disk with empty segments."""

    def points() -> int:
        with psycopg.connect(components["ledger-db"]["dsn"], autocommit=True) as conn:
            row = conn.execute("SELECT count(*) FROM restore_points").fetchone()
        return int(row[0]) if row else -1

    give_up_at = time.monotonic() + 60
    before = -1
    while (now := points()) != before and time.monotonic() < give_up_at:
        before = now
        time.sleep(8)  # longer than archive_timeout, so that each switch had its chance

    assert now == before


def partial_backup(components: dict[str, Any], outputs: Path, run: str, act: str) -> str:
    """The script as its playbooks call it; why it stopped, or nothing."""
    script = Path(__file__).parents[3] / "playbooks/files/partial_backup.py"
    wanted = {"run": run, "outputs": str(outputs), "components": components}
    done = subprocess.run(
        [sys.executable, "-I", script, act],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr.strip()


def test_only_what_a_dead_run_left_of_a_backup_is_dropped(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """A whole backup is what the next restore needs; another run's rest may be another's upload."""
    ours, theirs = "01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000000b"
    kept = [f"base/t1-{ours[-12:]}/backup.json", f"base/t2-{theirs[-12:]}/base.tar.0000"]
    for path in (*kept, f"base/t3-{ours[-12:]}/base.tar.0000"):
        archive = components["archive"]
        command = [archive["rclone"], "--config", archive["rclone-config"], "rcat"]
        to = f"{archive['remote']}/{path}"
        subprocess.run([*command, to], input=b"bytes", check=True, timeout=60)

    found = partial_backup(components, tmp_path, ours, "look")
    dropped = partial_backup(components, tmp_path, ours, "drop")
    again = partial_backup(components, tmp_path, ours, "drop")
    after = partial_backup(components, tmp_path, ours, "look")
    there = rclone(components, "lsf", "base", "--recursive", "--files-only")

    assert f"t3-{ours[-12:]}" in found
    assert (dropped, again, after) == ("", "", "")
    assert all(path.partition("/")[2] in there for path in kept)
    assert "t3-" not in there
    for path in kept:
        rclone(components, "deletefile", path)
