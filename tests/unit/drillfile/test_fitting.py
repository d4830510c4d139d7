"""A drill against an environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.drillfile import check_environment, load_environment, read_drill
from fireproof.drillfile.marks import Loaded
from fireproof.model.environment import Environment
from unit.drillfile.examples import DRILL, ENVIRONMENT, VOCABULARY


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "backup-restore.yaml"
    path.write_text(DRILL)
    return read_drill(path, VOCABULARY)


def _environment(tmp_path: Path, *changes: tuple[str, str]) -> Environment:
    text = ENVIRONMENT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "lab.yaml").write_text(text)
    return load_environment(tmp_path / "lab.yaml")


def _told(loaded: Loaded, environment: Environment) -> list[str]:
    problems = check_environment(loaded.drill, environment, loaded.marks)
    assert {problem.file for problem in problems} <= {loaded.marks.file}
    return [str(problem).replace(f"{loaded.marks.file}:", "") for problem in problems]


def test_a_drill_that_fits_has_no_problems(tmp_path: Path, loaded: Loaded) -> None:
    """Saved values are not components."""
    assert _told(loaded, _environment(tmp_path)) == []


def test_a_component_that_is_not_there_is_named_wherever_it_is_used(
    tmp_path: Path, loaded: Loaded
) -> None:
    """Each place is one that would fail in the middle of a run."""
    environment = _environment(tmp_path, ("ledger-db:", "ledger-database:"))

    missing = "environment 'lab' has no component 'ledger-db'; did you mean 'ledger-database'?"
    assert _told(loaded, environment) == [
        f"6:14: components.0: {missing}",
        f"14:16: probes.canary.read-from: {missing}",
        f"29:35: fault.0.lose-data-directory: {missing}",
        f"33:38: verify.1.dsn: {missing}",
    ]


def test_a_key_that_is_not_there_is_named(tmp_path: Path, loaded: Loaded) -> None:
    """{ledger-api.url} would otherwise be asked for as it stands."""
    environment = _environment(tmp_path, ("url:", "uri:"))

    told = _told(loaded, environment)

    assert len(told) == 3
    assert told[0] == (
        "10:18: probes.api.http: component 'ledger-api' has no 'url'; did you mean 'uri'?"
    )


def test_a_fault_that_is_not_allowed_is_refused(tmp_path: Path, loaded: Loaded) -> None:
    """The environment says what may be broken, the drill only what it would break."""
    some = _environment(tmp_path, ("[lose-data-directory, pause]", "[pause]"))
    none = _environment(tmp_path, ("[lose-data-directory, pause]", "[]"))

    refused = (
        "29:35: fault.0.lose-data-directory: 'lose-data-directory' is not allowed on 'ledger-db' "
        "in environment 'lab'; "
    )
    assert _told(loaded, some) == [f"{refused}allowed there: pause"]
    assert _told(loaded, none) == [f"{refused}no fault is"]


def test_problems_without_a_file_name_the_drill(tmp_path: Path, loaded: Loaded) -> None:
    """Drills built in Python have no lines."""
    environment = _environment(tmp_path, ("ledger-api:", "api:"))

    problems = check_environment(loaded.drill, environment)

    assert str(problems[0]).startswith("drill backup-restore:1:1: probes.api.http: ")


def test_a_fault_that_nothing_could_undo_is_refused(tmp_path: Path, loaded: Loaded) -> None:
    """A managed database has no host to start a server on again."""
    text = ENVIRONMENT[: ENVIRONMENT.index("    control:")] + ENVIRONMENT[-100:].partition("\n")[2]
    (tmp_path / "lab.yaml").write_text(text)

    (said,) = _told(loaded, load_environment(tmp_path / "lab.yaml"))

    assert said.startswith("29:35: fault.0.lose-data-directory: 'lose-data-directory' needs")
    assert "external DSN without host access permits restore-to-scratch only" in said


def test_what_may_be_a_secret_is_kept_from_command_lines(tmp_path: Path, loaded: Loaded) -> None:
    """Also when it only stands inside another text of the component."""
    environment = _environment(
        tmp_path,
        ("    tls: off\n", "    token: env:TOKEN\n    header: 'Bearer {ledger-db.token}'\n"),
    )
    step = loaded.drill.baseline.steps[1]
    argv = ["curl", "-H", "{ledger-db.header}", "{ledger-api.url}"]
    baseline = loaded.drill.baseline.model_copy(
        update={"steps": (step.model_copy(update={"params": {**step.params, "process": argv}}),)}
    )
    drill = loaded.drill.model_copy(update={"baseline": baseline})

    (problem,) = check_environment(drill, environment, loaded.marks)

    assert problem.path == "baseline.steps.0.process.2"
    assert problem.text.startswith("'{ledger-db.header}' is kept elsewhere and may be a secret")
