"""backup.yml and restore.yml, run as the step ``playbook`` runs them."""

from __future__ import annotations

import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from fireproof.model.ports import Check, StepResult
from proving_ground.lab import Lab
from support.playing import play

pytestmark = [pytest.mark.component, pytest.mark.full]


def check(result: StepResult, name: str) -> Check:
    return next(each for each in result.checks if each.name == name)


def write(components: dict[str, Any], count: int) -> int:
    """Write that many events; number of the newest."""
    url = components["ledger-api"]["url"]
    with httpx.Client(timeout=5) as client:
        for _ in range(count):
            event = {"key": uuid.uuid4().hex, "body": "kept"}
            got = client.post(f"{url}/v1/t/events", json=event)
    return int(got.json()["seq"])


def content(components: dict[str, Any], newest: int) -> Any:
    """Digest of the accounts and of the events up to that one."""
    query = b"""SELECT (SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM accounts a),
                       (SELECT md5(string_agg(digest, ',' ORDER BY seq))
                        FROM events WHERE seq <= %d)"""
    with psycopg.connect(components["ledger-db"]["dsn"]) as conn:
        return conn.execute(query % newest).fetchone()


def wait_confirmed(components: dict[str, Any], seq: int) -> None:
    query = b"SELECT count(*) FROM restore_points WHERE archived_at IS NOT NULL AND event_seq >= %d"
    give_up_at = time.monotonic() + 40
    with psycopg.connect(components["ledger-db"]["dsn"], autocommit=True) as conn:
        while (conn.execute(query % seq).fetchone() or (0,))[0] == 0:
            assert time.monotonic() < give_up_at, "the archive never confirmed the mark"
            time.sleep(0.1)


def lose(components: dict[str, Any]) -> Path:
    """Stop the database and move its data away; where it went."""
    database = components["ledger-db"]
    subprocess.run(database["control"]["stop"], check=True, capture_output=True)
    data = Path(database["data-directory"])
    return data.rename(data.with_name(data.name + ".lost"))


def test_a_lost_database_comes_back_up_to_the_target(lab: Lab, tmp_path: Path) -> None:
    """The promise of the whole drill; and once more from the restored copy, a timeline later."""
    for _ in range(2):
        components = lab.environment()["components"]
        write(components, 20)
        backup = play(lab.environment(), tmp_path, "backup.yml")
        mark = write(components, 20)
        before = content(components, mark)
        wait_confirmed(components, mark)
        lose(components)
        restored = play(lab.environment(), tmp_path, "restore.yml")

        assert backup.ok, backup.detail
        assert restored.ok, restored.detail
        assert restored.saved is not None
        assert restored.saved in check(restored, "target-reached").observed
        five = ("backup-intact", "pg_verifybackup", "pg_checksums", "pg_amcheck", "promoted")
        assert all(check(restored, name).ok for name in five)
        assert content(components, mark) == before
        assert write(components, 1) > mark
        now = lab.environment()["components"]["ledger-db"]["data-directory"]
        assert "restored-" in now
        lab.up(report=lambda _: None)  # archives again, ready for the next drill


def test_an_unreachable_target_is_told_in_one_line_and_soon(lab: Lab, tmp_path: Path) -> None:
    """Postgres refuses to promote; a playbook that waited for it would use up the whole RTO."""
    components = lab.environment()["components"]
    assert play(lab.environment(), tmp_path, "backup.yml").ok
    lost = lose(components)
    started = time.monotonic()
    result = play(lab.environment(), tmp_path, "restore.yml", target="mark-of-nobody")
    took_s = time.monotonic() - started
    lost.rename(components["ledger-db"]["data-directory"])
    back = subprocess.run(components["ledger-db"]["control"]["start"], check=False)

    assert result.ok is False
    assert "recovery ended before configured recovery target was reached" in result.detail
    assert check(result, "target-reached").ok is False
    assert took_s < 30
    assert back.returncode == 0


def test_a_changed_backup_is_refused_before_anything_starts(lab: Lab, tmp_path: Path) -> None:
    """Whoever can write to the archive could otherwise write the restored database."""
    components = lab.environment()["components"]
    backup = play(lab.environment(), tmp_path, "backup.yml")
    wait_confirmed(components, write(components, 1))
    archive = components["archive"]
    folder = lab.root / "archive/data" / archive["bucket"] / archive["prefix"] / "base"
    piece = folder / str(backup.saved) / "base.tar.0000"
    with piece.open("r+b") as file:
        file.seek(piece.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    lost = lose(components)
    result = play(lab.environment(), tmp_path, "restore.yml")
    lost.rename(components["ledger-db"]["data-directory"])
    subprocess.run(components["ledger-db"]["control"]["start"], check=True)

    assert result.ok is False
    assert "base.tar.0000" in check(result, "backup-intact").observed


def test_a_restore_beside_a_living_source_is_refused(lab: Lab, tmp_path: Path) -> None:
    """It could read what it claims to have restored."""
    result = play(lab.environment(), tmp_path, "restore.yml")

    assert result.ok is False
    assert "a server answers" in check(result, "source-unreachable").observed


def test_damaged_backups_are_refused_in_a_scratch_place(lab: Lab, tmp_path: Path) -> None:
    """The controls of every drill; an undamaged one passes there, so it is the damage they see."""
    components = lab.environment()["components"]
    assert play(lab.environment(), tmp_path, "backup.yml").ok
    wait_confirmed(components, write(components, 1))
    before = sorted(lab.folder.database.iterdir())
    good = play(lab.environment(), tmp_path, "attempt-restore.yml", damage="none")
    tampered = play(lab.environment(), tmp_path, "attempt-restore.yml", damage="tampered-base")
    holed = play(lab.environment(), tmp_path, "attempt-restore.yml", damage="missing-wal")

    assert good.ok, good.detail
    assert [each.name for each in good.checks if each.ok] == [
        "backup-intact",
        "pg_verifybackup",
        "target-reached",
        "pg_checksums",
    ]
    assert [each.name for each in tampered.checks if not each.ok] == ["backup-intact"]
    assert [each.name for each in holed.checks if not each.ok] == ["target-reached"]
    assert "recovery ended before" in check(holed, "target-reached").observed
    assert sorted(lab.folder.database.iterdir()) == before
    assert write(components, 1) > 0  # the serving database never noticed


def test_an_incremental_backup_restores_with_what_it_builds_upon(lab: Lab, tmp_path: Path) -> None:
    """Two small backups that do not fit together would be found out on the worst day."""
    lab.up(report=lambda _: None)
    components = lab.environment()["components"]
    full = play(lab.environment(), tmp_path, "backup.yml")
    write(components, 20)
    second = play(lab.environment(), tmp_path, "backup.yml", incremental="yes")
    mark = write(components, 20)
    before = content(components, mark)
    wait_confirmed(components, mark)
    lose(components)
    restored = play(lab.environment(), tmp_path, "restore.yml")

    assert full.ok, full.detail
    assert second.ok, second.detail
    assert restored.ok, restored.detail
    assert check(restored, "pg_verifybackup:parts").ok
    assert check(restored, "pg_verifybackup").ok
    assert content(components, mark) == before
    sizes = [size_of(lab, str(each.saved)) for each in (full, second)]
    assert sizes[1] < sizes[0] / 2


def size_of(lab: Lab, backup: str) -> int:
    """Bytes of a backup in the archive."""
    archive = lab.environment()["components"]["archive"]
    folder = lab.root / "archive/data" / archive["bucket"] / archive["prefix"] / "base" / backup
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_receiver_that_never_received_is_no_target(lab: Lab, tmp_path: Path) -> None:
    """Restoring to "nothing was received" would look like a restore of an empty afternoon."""
    components = lab.environment()["components"]
    lost = lose(components)
    result = play(lab.environment(), tmp_path, "restore.yml", wal="synchronous")
    lost.rename(components["ledger-db"]["data-directory"])
    subprocess.run(components["ledger-db"]["control"]["start"], check=True)

    assert result.ok is False
    assert "holds no WAL" in result.detail
