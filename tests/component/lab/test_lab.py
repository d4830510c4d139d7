"""The lab as a whole: it comes up, says what it is, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from fireproof.errors import EnvironmentRefusal
from fireproof.model.environment import Environment
from fireproof.processes import ProcessId, descendants, identify, is_alive
from proving_ground.lab import Lab
from proving_ground.probing import listens

pytestmark = [pytest.mark.component, pytest.mark.full]


def quiet(_: str) -> None:
    """A report nobody reads."""


def processes_of(lab: Lab) -> set[ProcessId]:
    """The supervisor and everything below it."""
    pid = json.loads((lab.root / "run" / "supervisor.json").read_text("utf-8"))["pid"]
    found = (identify(each) for each in (pid, *descendants(pid)))
    return {each for each in found if each}


def secrets_of(lab: Lab) -> list[str]:
    """Every password and key there is."""
    words = (lab.root / "secrets" / "pgpass").read_text("utf-8").splitlines()
    found = [line.rsplit(":", 1)[1] for line in words]
    pair = (lab.root / "secrets" / "archive-auth-key").read_text("utf-8").strip('"')
    return found + pair.split(",")


def test_a_lab_that_is_up_is_left_as_it_is(lab: Lab) -> None:
    """Saying it twice must not throw away somebody's data or change a port."""
    before = lab.status()
    lab.up(report=quiet)

    assert before is not None
    assert all(found["ready"] for found in before.values())
    assert lab.status() == before


def test_its_environment_is_one_that_fireproof_reads(lab: Lab) -> None:
    """Drills find every endpoint, control and version there."""
    environment = Environment.model_validate(lab.environment())

    parts = {"archive", "ledger-db", "wal-marks", "ledger-link", "wal-receiver", "ledger-api"}
    assert set(environment.components) == parts
    assert environment.environment_class == "embedded"
    assert environment.component("ledger-db").control is not None
    assert "PostgreSQL" in environment.record["postgres"]
    assert len(environment.record["rclone-sha256"]) == 64


def test_no_secret_stands_where_strangers_look(lab: Lab) -> None:
    """The environment is sealed into bundles; arguments are open to every user of the machine."""
    shown = json.dumps(lab.environment()) + (lab.root / "lab.json").read_text("utf-8")
    for who in processes_of(lab):
        shown += Path(f"/proc/{who.pid}/cmdline").read_text("utf-8", "replace")
    logs = "".join(path.read_text("utf-8") for path in (lab.root / "log").iterdir())

    for secret in secrets_of(lab):
        assert secret not in shown
        assert secret not in logs
    for path in (lab.root / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_servers_are_not_below_whoever_started_them(lab: Lab) -> None:
    """A guardian that ends its tree would take the restored database down with it."""
    assert not {who.pid for who in processes_of(lab)} & set(descendants(os.getpid()))


def test_down_leaves_nothing(place: Path) -> None:
    """No process, port or file of a drill stays on somebody's machine."""
    lab = Lab(place)
    lab.up(report=quiet)
    there, ports = processes_of(lab), lab.folder.ports()
    left = lab.down(report=quiet)

    assert left == []
    assert len(there) > 8
    assert not any(map(is_alive, there))
    assert not any(map(listens, ports))
    assert list(place.parent.iterdir()) == []


def test_down_works_though_the_supervisor_was_killed(place: Path) -> None:
    """Its servers live on; they are found by what was written down, never by name."""
    lab = Lab(place)
    lab.up(report=quiet)
    there = processes_of(lab)
    supervisor = json.loads((place / "run" / "supervisor.json").read_text("utf-8"))["pid"]
    os.kill(supervisor, signal.SIGKILL)
    left = lab.down(report=quiet)

    assert left == []
    assert not any(map(is_alive, there))
    assert list(place.parent.iterdir()) == []


def test_up_clears_the_remains_of_a_lab_that_died(place: Path) -> None:
    """After a reboot or a kill the next `make gameday` must simply work."""
    lab = Lab(place)
    lab.up(report=quiet)
    there = processes_of(lab)
    supervisor = json.loads((place / "run" / "supervisor.json").read_text("utf-8"))["pid"]
    os.kill(supervisor, signal.SIGKILL)
    lab.up(report=quiet)

    assert not any(map(is_alive, there))
    assert (lab.status() or {})["ledger-db"]["ready"]


def test_a_postgres_that_does_not_start_is_told_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 4 a.m. the server's own words are worth more than ours."""
    tools = place.parent / "bin"
    tools.mkdir(mode=0o755)
    first = ("initdb", "postgres", "pg_basebackup", "pg_verifybackup", "psql", "pg_waldump")
    for name in (*first, "pg_amcheck", "pg_checksums", "pg_receivewal"):
        words = "#!/bin/sh\necho 'FATAL:  the sky is falling' >&2\n"
        end = 'touch "$2"/postgresql.conf\n' if name == "initdb" else "exit 1\n"
        (tools / name).write_text(words + end, "utf-8")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("POSTGRES", str(tools))

    with pytest.raises(EnvironmentRefusal, match="the sky is falling"):
        Lab(place).up(report=quiet)
    assert not place.exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("POSTGRES", "/var/empty/nowhere", "has no initdb"),
        ("LEDGER_DSN", "host=127.0.0.1 password=x", "holds a password"),
        ("LEDGER_DSN", "host=127.0.0.1 port=1 connect_timeout=2", "LEDGER_DSN cannot be used"),
        ("ARCHIVE_ENDPOINT", "http://127.0.0.1:1", "set ARCHIVE_BUCKET and ARCHIVE_CREDENTIALS"),
    ],
)
def test_a_provider_that_cannot_be_had_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """A user's own server that is not there must not be replaced by another in silence."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(EnvironmentRefusal, match=words):
        Lab(place).up(report=quiet)
    assert not place.exists()


def test_an_external_database_is_used_and_not_ours_to_break(
    lab: Lab, components: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without access to its host there is no stop, no start and no data directory to lose."""
    import psycopg

    admin = components["ledger-db"]["admin-dsn"]
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("CREATE DATABASE elsewhere")
    monkeypatch.setenv("LEDGER_DSN", admin.replace("dbname=ledger", "dbname=elsewhere"))
    other = Lab(place)
    other.up(report=quiet)
    found = Environment.model_validate(other.environment())

    assert found.component("ledger-db").faults == ()
    assert found.component("ledger-db").control is None
    assert set(found.components) == {"archive", "ledger-db", "ledger-api"}
    assert other.down(report=quiet) == []


def test_environment_without_a_lab_says_how_to_get_one(place: Path) -> None:
    """A drill that finds no lab must not guess where it could be."""
    lab = Lab(place)

    assert lab.status() is None
    with pytest.raises(EnvironmentRefusal, match="fireproof lab up"):
        lab.environment()
    assert lab.down(report=quiet) == []


def test_a_server_that_dies_shows_at_once(lab: Lab) -> None:
    """Status is what is, not what was started."""
    database = lab.environment()["components"]["ledger-db"]
    pid = int(Path(database["control"]["pid-file"]).read_text("utf-8"))
    os.kill(pid, signal.SIGKILL)
    give_up_at = time.monotonic() + 5
    while (lab.status() or {})["ledger-db"]["pid"] and time.monotonic() < give_up_at:
        time.sleep(0.01)

    assert (lab.status() or {})["ledger-db"]["pid"] is None
    assert not Path(database["control"]["pid-file"]).exists()
    lab.up(report=quiet)
    assert (lab.status() or {})["ledger-db"]["ready"]
