"""Files that are no drill for reasons outside the text, and the other two kinds of file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fireproof.drillfile import (
    load_drill,
    load_environment,
    load_gameday,
    parse_drill,
    read_drill,
    render,
)
from fireproof.errors import DrillFileError, Problem
from unit.drillfile.examples import DRILL, ENVIRONMENT, VOCABULARY


def _refused(path: Path) -> str:
    with pytest.raises(DrillFileError) as caught:
        load_drill(path, VOCABULARY)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return f"{problem.line}:{problem.column} {problem.text}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "1:1 the file is empty"),
        (b"\n  \n", "1:1 the file is empty"),
        (b"---\n", "1:1 the file is empty"),
        ("drill: x".encode("utf-16"), "1:1 expected UTF-8, got UTF-16; save it as UTF-8"),
        (b"a: b\nc: \xc3\xa9\xff", "2:5 expected UTF-8, got the byte 0xff; save it as UTF-8"),
        (b"#" * (1 << 20) + b"#", "1:1 expected at most 1 MiB, got more"),
        (b"a: 1\r\nb: \x1b[2J", "2:4 the control character U+001B is not allowed here; remove it"),
        (b"[" * 900_000, "1:33 expected at most 32 levels, got more"),
        (b"- " * 400_000, "1:65 expected at most 32 levels, got more"),
    ],
)
def test_bytes_that_are_no_text_are_named(tmp_path: Path, content: bytes, expected: str) -> None:
    """A file of the wrong kind must not end in a decoder's traceback, nor in a full stack."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    assert _refused(path) == expected


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    """A missing file is the most frequent mistake at a prompt; a pipe would block for ever."""
    (tmp_path / "backup-restore.yaml").write_text(DRILL)
    (tmp_path / "notes.txt").write_text(DRILL)
    os.mkfifo(tmp_path / "pipe.yaml")

    meant = tmp_path / "backup-restore.yaml"
    assert _refused(tmp_path / "backup-restor.yaml") == (
        f"1:1 no such file; did you mean {str(meant)!r}?"
    )
    assert _refused(tmp_path / "no" / "x.yaml") == "1:1 no such file, and no such folder"
    assert _refused(tmp_path) == "1:1 is a directory; name one of its files"
    assert _refused(tmp_path / "pipe.yaml") == "1:1 is not a regular file"
    assert _refused(tmp_path / "notes.txt") == (
        "1:1 expected a name that ends in .yaml or .yml, got 'notes.txt'"
    )
    assert _refused(tmp_path / "a\0.yaml").startswith("1:1 ")
    assert _refused(tmp_path / ("x" * 300 + ".yaml")) == "1:1 file name too long"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """The cure is a permission, not an edit."""
    path = tmp_path / "x.yaml"
    path.write_text(DRILL)
    path.chmod(0)

    assert _refused(path) == "1:1 cannot be read: permission denied"


def test_problems_are_printed_as_editors_read_them() -> None:
    """file:line:column makes them clickable; the last line says that nothing happened."""
    one = Problem("drills/cache.yaml", 4, 12, "fault.0", "'paus' is not a known fault")
    two = Problem("drills/cache.yaml", 9, 1, "", "unknown key 'titel'")

    assert render([one]) == (
        "drills/cache.yaml:4:12: fault.0: 'paus' is not a known fault\n1 problem; nothing was run."
    )
    assert render([one, two]).splitlines()[1:] == [
        "drills/cache.yaml:9:1: unknown key 'titel'",
        "2 problems; nothing was run.",
    ]
    assert render([]) == "no problems"


def test_a_text_needs_no_file() -> None:
    """Editors and tests check what is not saved yet; only a file can disagree with its name."""
    assert parse_drill(DRILL, "unsaved", VOCABULARY).drill == "backup-restore"


def test_places_are_kept_for_later(tmp_path: Path) -> None:
    """Problems that only an environment shows should name a line as well."""
    path = tmp_path / "backup-restore.yaml"
    path.write_text(DRILL)

    marks = read_drill(path, VOCABULARY).marks

    assert marks.at("fault", 0, "lose-data-directory") == (29, 35)
    assert marks.at("probes", "canary", "no-such-key") == (12, 5)
    assert marks.at() == (1, 1)


def test_defaults_in_force_are_written_out() -> None:
    """Else a later version's default would change what an old plan meant."""
    drill = parse_drill(DRILL, "x", VOCABULARY)

    assert drill.verify[0].params == {
        "pytest": "tests/restored",
        "timeout": "2m",
        "title": "",
        "save": None,
    }
    assert drill.fault[0].params["expires"] == "10m"


def test_an_environment_is_read(tmp_path: Path) -> None:
    """Whatever a further key looks like, it is text for {component.key}."""
    path = tmp_path / "lab.yaml"
    path.write_text(ENVIRONMENT)

    environment = load_environment(path)

    database = environment.component("ledger-db")
    assert (database.get("port"), database.get("tls")) == ("5432", "off")
    assert database.faults == ("lose-data-directory", "pause")
    assert database.control is not None
    assert database.control.pid_file == "/run/pg.pid"


def test_every_problem_of_an_environment_is_told(tmp_path: Path) -> None:
    """A destructive tool reads this file: nothing in it is guessed."""
    path = tmp_path / "lab.yaml"
    path.write_text(
        "environment: Lab\n"
        "class: prod\n"
        "freeze: never\n"
        "components:\n"
        "  saved: {kind: http}\n"
        "  db:\n"
        "    fault: [pause]\n"
        "    URL: x\n"
        "    dsn:\n"
        "    control: {stop: [], start: [pg_ctl, 5]}\n"
        "  other: text\n"
        "record: {postgres: 18.6}\n"
    )

    with pytest.raises(DrillFileError) as caught:
        load_environment(path)

    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        "1:14: environment: expected lower-case words joined by hyphens, such as ledger-db, "
        "got 'Lab'; did you mean 'lab'?",
        "2:8: class: expected embedded, other, production-like or production, got 'prod'",
        "3:9: freeze: expected a list, got 'never'",
        "5:3: components.saved: 'saved' is taken: {saved.NAME} is the value of an earlier step",
        "7:5: components.db.fault: expected text, got a list; did you mean 'faults'?",
        "7:5: components.db: 'kind' is missing",
        "8:5: components.db.URL: expected lower-case letters, digits, '-' or '_', "
        "as in {component.key}, got 'URL'",
        "9:5: components.db.dsn: expected text, got nothing",
        "10:14: components.db.control: 'pid-file' is missing",
        "10:21: components.db.control.stop: expected a command with its arguments, "
        "got an empty list",
        "10:41: components.db.control.start.1: expected text, got 5; put it in quotes",
        "11:10: components.other: expected a mapping, got 'text'",
        "12:20: record.postgres: expected text, got 18.6; put it in quotes",
    ]


def test_a_game_day_is_read(tmp_path: Path) -> None:
    """Its drills are named, in order."""
    path = tmp_path / "quarterly.yaml"
    path.write_text("gameday: quarterly\ntitle: Every quarter\ndrills: [backup-restore, replay]\n")

    assert load_gameday(path).drills == ("backup-restore", "replay")


def test_every_problem_of_a_game_day_is_told(tmp_path: Path) -> None:
    """A game day that names nothing would pass by doing nothing."""
    path = tmp_path / "quarterly.yaml"
    path.write_text("gameday: yearly\ndrill: [x]\ndrills: []\n")

    with pytest.raises(DrillFileError) as caught:
        load_gameday(path)

    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        "1:1: 'title' is missing",
        "1:10: gameday: expected 'quarterly', as the file is called, got 'yearly'; "
        "rename one of the two",
        "2:1: unknown key 'drill'; known here: apart, budget, drills, gameday, lab, "
        "profile, roles, runbook, schedule, stop-the-line, title, window",
        "3:9: drills: expected at least 1 entry, got an empty list",
    ]


def test_a_secret_in_the_open_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """Environment files are committed; the refusal is printed in CI logs."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "environment: mine\n"
        "class: other\n"
        "components:\n"
        "  db:\n"
        "    kind: postgres\n"
        "    password: hunter2-hunter2\n"
        "    dsn: postgresql://app:hunter2-hunter2@db/shop\n"
        "    other-dsn: host=db password=hunter2-hunter2\n"
        "    api-key: 'hunter2'\n"
        "    token: 'env:2X'\n"
        "    more-token: 'aws-sm:'\n"
    )

    with pytest.raises(DrillFileError) as caught:
        load_environment(path)

    said = "a secret in the open; keep it elsewhere and write env:NAME, file:PATH or aws-sm:ID"
    cure = ", and name that key here: password={component.key}"
    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        f"6:15: components.db.password: {said}",
        f"7:10: components.db.dsn: {said}{cure}",
        f"8:16: components.db.other-dsn: {said}{cure}",
        f"9:14: components.db.api-key: {said}",
        "10:12: components.db.token: expected env:NAME, with the name of a variable, got 'env:2X'",
        "11:17: components.db.more-token: expected aws-sm:ID or aws-sm:ID#KEY, got 'aws-sm:'",
    ]


@pytest.mark.parametrize(
    ("place", "needed"),
    [("class: other", 0), ("class: production", 1), ("class: production\napprovals: 2", 2)],
)
def test_production_is_approved_by_somebody(tmp_path: Path, place: str, needed: int) -> None:
    """A line that nobody wrote is no permission; a plan without the need keeps its old bytes."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"environment: mine\n{place}\ncomponents: {{db: {{kind: postgres}}}}\n")

    environment = load_environment(path)

    assert environment.approvals == needed
    body = environment.model_dump(mode="json", by_alias=True)
    assert ("approvals" in body, "approvers" in body) == (needed > 0, False)
    path.write_text(path.read_text().replace("approvals: 2", "approvals: 0"))
    if "approvals" in place:
        with pytest.raises(DrillFileError, match="3:12: approvals: expected at least 1 for class"):
            load_environment(path)


def test_references_and_their_users_are_no_secret(tmp_path: Path) -> None:
    """What is committed says where, not what."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "environment: mine\n"
        "class: production\n"
        "confirm: true\n"
        "components:\n"
        "  db:\n"
        "    kind: postgres\n"
        "    password: env:DB_PASSWORD\n"
        "    token: file:~/.shop/token\n"
        "    secret-key: aws-sm:arn:aws:secretsmanager:eu-central-1:1:secret:shop#key\n"
        "    passfile: /etc/shop/pgpass\n"
        "    token-file: /etc/shop/token\n"
        "    dsn: host=db password={db.password}\n"
        "    url: postgresql://app:{db.password}@db/shop\n"
        "freeze:\n"
        "  - {from: 2026-12-20, until: 2027-01-02T06:00+01:00}\n"
    )

    environment = load_environment(path)

    assert environment.is_secret("db", "url")
    assert not environment.is_secret("db", "passfile")
    assert sorted(key for _, key in environment.elsewhere()) == ["password", "secret-key", "token"]
