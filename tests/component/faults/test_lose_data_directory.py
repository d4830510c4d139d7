"""lose-data-directory on a small server, and on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from component.faults.conftest import Server, place
from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults import load_faults
from fireproof.model.ports import StepContext
from support.postgres import (
    dsn_for,
    free_port,
    init_database,
    own_folder,
    unprivileged,
    wait_for_database,
)
from support.steps import step_context

pytestmark = pytest.mark.component

KIND = "lose-data-directory"
LOSE = load_faults([KIND])[KIND]
PARAMS = LOSE.params.model_validate({KIND: "db"})


def soon() -> int:
    return time.monotonic_ns() + 20 * 10**9


def prepared(context: StepContext) -> dict[str, Any]:
    undo: dict[str, Any] = json.loads(json.dumps(LOSE.prepare(PARAMS, context)))
    return undo


def test_prepare_touches_nothing(server: Server) -> None:
    """The intent is written before the harm, and may be all that ever happens."""
    before = server.now()

    undo = prepared(server.context)

    assert (undo["directory"], undo["aside"]) == (str(server.data), str(server.aside))
    assert server.now() == before
    assert sorted(path.name for path in server.home.iterdir()) == ["data", "log", "pid"]


def test_the_directory_is_gone_and_comes_back_as_it_was(server: Server) -> None:
    """An undo that brings back an older or empty directory is a second loss."""
    undo = prepared(server.context)

    said = LOSE.apply(undo, server.context)

    assert "3 processes" in said
    assert server.now() is None
    assert not server.data.exists()
    assert "still aside" in (LOSE.present(undo, recovered=False) or "")
    LOSE.undo(undo, recovered=False, deadline_ns=soon())
    assert (server.data / "rows").read_text() == "1000"
    assert not server.aside.exists()
    assert LOSE.present(undo, recovered=False) is None
    log = (server.home / "log").read_text().splitlines()
    assert log[-1] == f"start {server.data}"
    again = LOSE.undo(undo, recovered=False, deadline_ns=soon())
    assert again.startswith("nothing to take back")


def recover_elsewhere(server: Server, undo: dict[str, Any]) -> Path:
    fresh = server.home / "fresh"
    fresh.mkdir()
    subprocess.run([*undo["start"], f"data-directory={fresh}"], check=True)
    return fresh


def test_after_a_verified_recovery_the_undo_leaves_the_service_alone(server: Server) -> None:
    """Moving the old directory back would undo the recovery that was just proved."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    recover_elsewhere(server, undo)
    before = server.now()

    said = LOSE.undo(undo, recovered=True, deadline_ns=soon())

    assert said.startswith("service stays on the restored copy")
    assert server.now() == before
    assert server.aside.is_dir()
    assert LOSE.present(undo, recovered=True) is None


def test_a_recovery_onto_the_lost_copy_is_no_recovery(server: Server) -> None:
    """A restore that quietly uses the original has proved nothing about the backup."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    subprocess.run([*undo["start"], f"data-directory={server.aside}"], check=True)

    with pytest.raises(UndoError, match="set-aside original"):
        LOSE.undo(undo, recovered=True, deadline_ns=soon())

    assert "is used by" in (LOSE.present(undo, recovered=True) or "")


def test_a_recovered_server_that_died_again_is_residue(server: Server) -> None:
    """Residue is about the service, not only about the fault."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)

    assert "does not run" in (LOSE.present(undo, recovered=True) or "")


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_newcomer_in_the_place_is_moved_aside_never_deleted(
    server: Server, by_hand: bool
) -> None:
    """A half-finished restore may hold the only copy of something."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    server.data.mkdir()
    (server.data / "half").write_text("restored")
    subprocess.run([*undo["start"], f"data-directory={server.data}"], check=True)

    if by_hand:
        subprocess.run(LOSE.by_hand(undo), shell=True, check=True)  # noqa: S602
        subprocess.run(LOSE.by_hand(undo), shell=True, check=True)  # noqa: S602
    else:
        LOSE.undo(undo, recovered=False, deadline_ns=soon())

    found = Path(f"{server.data}.found-{server.context.run}")
    assert (found / "half").read_text() == "restored"
    assert (server.data / "rows").read_text() == "1000"
    assert LOSE.present(undo, recovered=False) is None


def test_an_undo_that_was_cut_off_is_finished_by_the_next(server: Server) -> None:
    """The guardian may be killed too; the sweeper then starts from whatever there is."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    server.aside.rename(server.data)

    assert "does not run" in (LOSE.present(undo, recovered=False) or "")
    assert "started db" in LOSE.undo(undo, recovered=False, deadline_ns=soon())
    assert LOSE.present(undo, recovered=False) is None


def test_a_stop_that_hangs_does_not_hold_the_undo(server: Server) -> None:
    """What runs on the place of the lost directory is ended the hard way."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    recover_elsewhere(server, undo)

    LOSE.undo(
        undo | {"stop": ["sleep", "1000"]},
        recovered=False,
        deadline_ns=time.monotonic_ns() + 3 * 10**9,
    )

    assert (server.data / "rows").read_text() == "1000"
    assert server.now() is not None


def test_with_both_gone_a_person_is_needed(server: Server) -> None:
    """Starting a server on nothing would make an empty database look like a revert."""
    undo = prepared(server.context)
    LOSE.apply(undo, server.context)
    server.aside.rename(server.home / "taken away")

    with pytest.raises(UndoError, match="neither") as caught:
        LOSE.undo(undo, recovered=False, deadline_ns=soon())

    assert "mv -T" in caught.value.command
    assert LOSE.present(undo, recovered=False)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("relative", "absolute path"),
        ("none", "no `data-directory`"),
        ("missing", "there is no directory"),
        ("link", "is a link"),
        ("taken", "exists already"),
        ("project", "lies within"),
        ("mount", "mount point"),
    ],
)
def test_a_directory_that_cannot_come_back_is_refused(server: Server, case: str, says: str) -> None:
    """Refused means untouched: no process ended, nothing renamed."""
    before, project, home = server.now(), server.context.project, server.home
    directory: Any = str(server.data)
    if case == "relative":
        directory = "data"
    elif case == "none":
        directory = None
    elif case == "missing":
        directory = str(home / "gone")
    elif case == "link":
        directory = str(home / "link")
        os.symlink(server.data, directory)
    elif case == "taken":
        server.aside.mkdir()
    elif case == "project":
        project = server.data / "checkout"
        project.mkdir()
    elif case == "mount":
        directory = "/proc"

    with pytest.raises(EnvironmentRefusal, match=says):
        LOSE.prepare(PARAMS, place(home, project, **{"data-directory": directory}))

    assert server.now() == before


def test_a_stranger_in_the_directory_is_named_before_any_harm(server: Server) -> None:
    """With another process on the files, nobody could say that the source was unreachable."""
    with (server.data / "rows").open() as held:
        with pytest.raises(EnvironmentRefusal, match=f"pid {os.getpid()} "):
            prepared(server.context)

        assert held.read() == "1000"
    assert server.now() is not None


def test_a_stop_that_fails_is_told_and_the_undo_still_works(server: Server) -> None:
    """The fault is then half applied: the server is dead and the directory in its place."""
    undo = prepared(server.context)

    with pytest.raises(StepError, match="no permission"):
        LOSE.apply(undo | {"stop": ["sh", "-c", "echo no permission; exit 1"]}, server.context)

    assert server.data.is_dir()
    LOSE.undo(undo, recovered=False, deadline_ns=soon())
    assert LOSE.present(undo, recovered=False) is None


CTL = """
import os, subprocess, sys
home, port, verb = sys.argv[1:4]
given = dict(a.split("=", 1) for a in sys.argv[4:])
data = given.get("data-directory", home + "/lost/data")
user = {} if os.geteuid() else {"user": "nobody", "group": "nogroup", "extra_groups": []}
ctl = [home + "/pgsql/bin/pg_ctl", "-D", data, "-w", "-t", "20"]
# Not `pg_ctl status`: it takes a killed server for a live one until somebody reaps it.
try:
    pid = open(home + "/lost/pid").readline().strip()
    up = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
except OSError:
    up = False
if verb == "start" and not up:
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
    options += f" -c external_pid_file={home}/lost/pid -c shared_buffers=16MB"
    ctl += ["-l", home + "/lost/log", "-o", options, "start"]
    sys.exit(subprocess.run(ctl, cwd="/", **user).returncode)
if verb == "stop" and up:
    sys.exit(subprocess.run([*ctl, "-m", "fast", "stop"], cwd="/", **user).returncode)
"""


@pytest.mark.full  # the drill that README shows does it in every make test
def test_a_real_database_is_lost_and_comes_back(postgres_home: Path, tmp_path: Path) -> None:
    """Postmaster, backends and files: all of it is gone, and all of it returns."""
    own_folder(postgres_home / "lost")
    data, port = own_folder(postgres_home / "lost" / "data"), free_port()
    init_database(postgres_home, data)
    script = tmp_path / "ctl.py"
    script.write_text(CTL)
    base = [sys.executable, str(script), str(postgres_home), str(port)]
    pid_file = str(postgres_home / "lost" / "pid")
    dsn = dsn_for(port, postgres_home / "passfile")
    control = {"stop": [*base, "stop"], "start": [*base, "start"], "pid-file": pid_file}
    db = {"kind": "postgres", "dsn": dsn, "data-directory": str(data), "faults": [KIND]}
    context = step_context(tmp_path, {"db": db | {"control": control}})
    assert unprivileged() or os.geteuid() != 0
    subprocess.run(control["start"], check=True, stdout=subprocess.DEVNULL)
    try:
        wait_for_database(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
            undo = prepared(context)

            said = LOSE.apply(undo, context)

            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert "moved" in said
        assert not data.exists()
        LOSE.undo(undo, recovered=False, deadline_ns=soon())
        assert LOSE.present(undo, recovered=False) is None
        wait_for_database(dsn)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)
    finally:
        subprocess.run(control["stop"], check=True, stdout=subprocess.DEVNULL)
