"""sql, wait-for and digest against a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fireproof.errors import StepError
from fireproof.model.ports import StepContext
from fireproof.processes import descendants
from support.postgres import Postgres
from support.steps import run_step, step_context

pytestmark = pytest.mark.component


@pytest.fixture
def database(postgres_dsn: str) -> Iterator[str]:
    """A DSN with a table of its own in it."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE steps_t (id int PRIMARY KEY, body text, at timestamptz)")
        connection.execute(
            "INSERT INTO steps_t SELECT i, E'line\\n' || i, 'epoch' FROM generate_series(1, 1000) i"
        )
        yield postgres_dsn
        connection.execute("DROP TABLE steps_t")


def place(project: Path, dsn: str, timeout_s: float = 20, **saved: str) -> StepContext:
    db = {"kind": "postgres", "dsn": dsn, "table": "steps_t"}
    return step_context(project, {"db": db}, timeout_s=timeout_s, saved=saved)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The whole server stands still for the length of the block."""
    pids = [pid, *descendants(pid)]
    for one in pids:
        _send(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in reversed(pids):
            _send(one, signal.SIGCONT)


def _send(pid: int, signum: int) -> None:
    with suppress(ProcessLookupError):  # an io worker of PostgreSQL 18 comes and goes
        os.kill(pid, signum)


@pytest.mark.parametrize(
    ("query", "expect", "ok", "check", "seen"),
    [
        ("SELECT count(*) FROM {db.table}", "1000", True, True, "'1000'"),
        ("SELECT 999", "1000", False, False, "'999'"),
        ("SELECT 1, 2", "1", False, False, "1 rows of 2 columns"),
        ("SELECT 1 WHERE false", "1", False, False, "0 rows of 1 columns"),
        ("SELECT NULL", "NULL", False, False, "NULL"),
        ("SELECT * FROM gone", "1", False, False, 'relation "gone" does not exist'),
        ("SELEC", "1", False, False, "syntax error"),
        ("SELECT 100 % 7", "2", True, True, "'2'"),
        ("SELECT 1; SELECT 2", "2", True, True, "'2'"),
    ],
)
def test_one_value_is_compared_as_text(
    tmp_path: Path, database: str, query: str, expect: str, ok: bool, check: bool, seen: str
) -> None:
    """What the check shows is what the database said."""
    text = {"sql": query, "on": "db", "expect": expect, "title": "t"}

    result = run_step(text, place(tmp_path, database))

    assert (result.ok, result.checks[0].ok) == (ok, check)
    assert seen in result.checks[0].observed


def test_a_value_is_saved_and_an_impossible_one_is_not(tmp_path: Path, database: str) -> None:
    """A later step must never get half a value."""
    one = run_step({"sql": "SELECT 'x'", "on": "db", "save": "x"}, place(tmp_path, database))
    many = run_step(
        {"sql": "SELECT id FROM steps_t", "on": "db", "save": "x"}, place(tmp_path, database)
    )
    done = run_step({"sql": "UPDATE steps_t SET id = id", "on": "db"}, place(tmp_path, database))

    assert (one.ok, one.saved) == (True, "x")
    assert (many.ok, many.saved) == (False, None)
    assert (done.ok, done.detail) == (True, "db: UPDATE 1000")


def test_a_database_that_is_not_there_is_unknown_not_wrong(tmp_path: Path) -> None:
    """The check could not be made; the step failed all the same."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        dsn = f"host=127.0.0.1 port={listener.getsockname()[1]} user=x dbname=x"

        result = run_step({"sql": "SELECT 1", "on": "db", "expect": "1"}, place(tmp_path, dsn))

    assert result.ok is False
    assert result.checks[0].ok is None
    assert "refused" in result.detail


def test_a_component_without_a_dsn_is_told(tmp_path: Path) -> None:
    """The environment file is what needs an edit."""
    with pytest.raises(StepError, match="with a `dsn`"):
        run_step({"sql": "SELECT 1", "on": "api"}, step_context(tmp_path))


@pytest.mark.parametrize("query", ["SELECT pg_sleep(1000)", "SELECT 1"])
def test_a_slow_query_and_a_frozen_server_end_at_the_deadline(
    tmp_path: Path, postgres: Postgres, query: str
) -> None:
    """A stopped server keeps its port open, and libpq would wait for it for ever."""
    context, began = place(tmp_path, postgres.dsn, timeout_s=1.5), time.monotonic()
    text = {"sql": query, "on": "db", "expect": "1"}

    if query == "SELECT 1":
        with frozen(postgres.pid):
            result = run_step(text, context)
    else:
        result = run_step(text, context)

    assert (result.ok, result.checks[0].ok) in ((False, None), (False, False))
    assert time.monotonic() - began < 4


def test_wait_for_sees_a_change_and_says_what_it_saw_last(tmp_path: Path, database: str) -> None:
    """Replay is awaited by its effect, never by a pause of guessed length."""

    def later() -> None:
        time.sleep(0.7)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DELETE FROM steps_t")

    changer = threading.Thread(target=later)
    look: dict[str, Any] = {"sql": "SELECT count(*) FROM steps_t", "on": "db", "expect": "0"}
    changer.start()
    met = run_step({"wait-for": look, "every": "50ms"}, place(tmp_path, database))
    changer.join()
    look["expect"] = "5"
    missed = run_step({"wait-for": look, "every": "50ms"}, place(tmp_path, database, timeout_s=1))

    assert (met.ok, met.saved) == (True, "0")
    assert missed.ok is False
    assert missed.detail == "waited in vain for '5' from db; last seen: '0'"


def test_wait_for_outlives_a_frozen_look(tmp_path: Path, postgres: Postgres) -> None:
    """A server that is replaced while one look hangs on the old one must still be seen."""
    look = {"sql": "SELECT 1", "on": "db", "expect": "1"}
    thaw = threading.Event()

    def freeze() -> None:
        with frozen(postgres.pid):
            thaw.wait(1.5)

    freezer = threading.Thread(target=freeze)
    freezer.start()
    result = run_step({"wait-for": look, "every": "50ms"}, place(tmp_path, postgres.dsn))
    thaw.set()
    freezer.join()

    assert result.ok is True


def digest_of(project: Path, dsn: str, name: str = "before") -> str:
    queries = {
        "rows": "SELECT * FROM {db.table} ORDER BY id -- all of them",
        "floats": "SELECT 0.1::float8 + 0.2, '\\x00ff'::bytea, interval '1 day'",
        "none": "SELECT 1 WHERE false",
    }
    result = run_step({"digest": name, "on": "db", "queries": queries}, place(project, dsn))
    assert result.ok is True, result.detail
    assert result.saved
    return result.saved


def test_a_digest_depends_on_the_content_only(tmp_path: Path, database: str) -> None:
    """Two sessions with other settings must agree, or an intact restore looks damaged."""
    options = "-c datestyle=German -c timezone=Asia/Tokyo -c extra_float_digits=0"
    options += " -c bytea_output=escape -c intervalstyle=sql_standard"
    first = digest_of(tmp_path, database)
    second = digest_of(tmp_path, f"{database} options='{options}' client_encoding=LATIN1")

    assert first == second
    assert {key: one["rows"] for key, one in json.loads(first).items()} == {
        "floats": 1,
        "none": 0,
        "rows": 1000,
    }


def test_one_changed_row_changes_the_digest(tmp_path: Path, database: str) -> None:
    """The whole point: row counts catch nothing."""
    before = digest_of(tmp_path, database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE steps_t SET body = 'x' WHERE id = 500")
    after = digest_of(tmp_path, database, "after")

    result = run_step(
        {"same-digest": ["before", "after"]},
        place(tmp_path, database, before=before, after=after),
    )

    assert result.ok is False
    assert {check.name for check in result.checks if check.ok is False} == {"same-digest:rows"}


@pytest.mark.parametrize("query", ["SELECT * FROM gone", "SELECT 1) TO STDOUT; --", "", "DELETE"])
def test_a_digest_that_cannot_be_taken_fails(tmp_path: Path, database: str, query: str) -> None:
    """Half a digest would compare as equal to half a digest."""
    queries = {"ok": "SELECT 1", "wrong": query}

    result = run_step({"digest": "a", "on": "db", "queries": queries}, place(tmp_path, database))

    assert (result.ok, result.saved) == (False, None)
    assert "wrong: " in result.detail
