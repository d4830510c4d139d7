"""Whatever is wrong with a restore, the drill goes red, says why in one line, and is sealed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from support.lab_project import LabProject
from support.scenario import Ran

pytestmark = [pytest.mark.component, pytest.mark.full]


@pytest.fixture(autouse=True)
def _the_ledger_is_back(project: LabProject) -> Iterator[None]:
    yield
    assert project.ready(), "a drill left the ledger down"


def verdict_of(ran: Ran, objective: str) -> str:
    assert ran.result is not None, ran.stderr
    found = [o for o in ran.result["judgement"]["objectives"] if o["name"] == objective]
    return str(found[0]["verdict"])


def check_of(ran: Ran, name: str) -> str:
    assert ran.result is not None, ran.stderr
    found = [c for c in ran.result["judgement"]["checks"] if c["name"] == name]
    return str(found[0]["verdict"]) if found else "absent"


def assert_red_and_sealed(ran: Ran, project: LabProject) -> None:
    assert ran.result is not None, ran.stderr
    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert "\n" not in ran.result["judgement"]["reason"]
    assert project.verify(ran.bundle) == 0


def test_a_target_that_the_archive_cannot_reach_is_not_a_restore(project: LabProject) -> None:
    """Postgres that promotes short of its target looks perfectly healthy."""
    drill = project.drill()
    drill["recover"][0]["vars"] = {"target": "mark-that-nobody-made"}

    ran = project.run(drill)

    assert_red_and_sealed(ran, project)
    assert "mark-that-nobody-made" in ran.stderr


def test_a_playbook_that_fails_midway_is_not_a_restore(project: LabProject) -> None:
    """The first task's success is not the play's."""
    (project.folder / "playbooks" / "midway.yml").write_text(
        "- name: Restore halfway\n"
        "  hosts: localhost\n"
        "  gather_facts: false\n"
        "  tasks:\n"
        "    - name: First half\n"
        "      ansible.builtin.command: 'true'\n"
        "    - name: Second half\n"
        "      ansible.builtin.command: /bin/sh -c 'echo the tape snapped >&2; exit 3'\n"
    )
    drill = project.drill()
    drill["recover"] = [{"playbook": "playbooks/midway.yml", "timeout": "1m"}]

    ran = project.run(drill)

    assert_red_and_sealed(ran, project)
    assert "Second half" in ran.stderr


def test_one_changed_row_in_the_restored_database_is_noticed(project: LabProject) -> None:
    """A row count, a health check and a balance all agree that nothing is wrong."""
    drill = project.drill()
    drill["recover"].append(project.psql("UPDATE accounts SET note = note || '!' WHERE id = 77"))

    ran = project.run(drill)

    assert_red_and_sealed(ran, project)
    assert check_of(ran, "same-digest:accounts") == "missed"
    assert check_of(ran, "same-digest:events") == "met"
    assert verdict_of(ran, "restored-content") == "missed"


def test_a_database_that_acknowledges_before_it_is_durable_is_noticed(project: LabProject) -> None:
    """With synchronous_commit off a crash loses what clients were promised."""
    drill = project.drill()
    start = project.component("ledger-db")["control"]["start"]
    drill["baseline"]["steps"] = [
        project.psql("ALTER SYSTEM SET wal_writer_delay = '10s'"),
        project.psql("ALTER SYSTEM SET synchronous_commit = off"),
        project.psql("SELECT pg_reload_conf()"),
    ]
    drill["baseline"]["for"] = "3s"
    drill["fault"] = [{"kill": "ledger-db"}]
    drill["recover"] = [{"process": start, "timeout": "30s"}]
    drill["verify"] = [{"http": "{ledger-api.url}/readyz", "timeout": "10s"}]
    del drill["objectives"]["restored-content"]
    drill["objectives"]["data-loss"]["lost"] = 0

    try:
        ran = project.run(drill)
    finally:
        for sql in ("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()"):
            words = project.psql(sql)["process"]
            words[1] = project.component("ledger-db")["admin-dsn"]
            subprocess.run(words, check=True, capture_output=True)

    assert_red_and_sealed(ran, project)
    assert verdict_of(ran, "data-loss") == "missed"
    assert verdict_of(ran, "recovery-time") == "met"


def test_the_same_crash_with_durable_commits_loses_nothing(project: LabProject) -> None:
    """The control: what the drill above notices is the lie, not the crash."""
    drill = project.drill()
    start = project.component("ledger-db")["control"]["start"]
    drill["baseline"]["steps"] = []
    drill["fault"] = [{"kill": "ledger-db"}]
    drill["recover"] = [{"process": start, "timeout": "30s"}]
    drill["verify"] = [{"http": "{ledger-api.url}/readyz", "timeout": "10s"}]
    del drill["objectives"]["restored-content"]
    drill["objectives"]["data-loss"]["lost"] = 0

    ran = project.run(drill)

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert project.verify(ran.bundle) == 0
