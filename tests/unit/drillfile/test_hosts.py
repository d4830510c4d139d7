"""Components that live on hosts of an inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.children.hosts import reach_of, ssh_variables
from fireproof.drillfile import check_environment, load_environment, read_drill
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.errors import DrillFileError, EnvironmentRefusal
from fireproof.faults import load_faults
from fireproof.secrets import Keeper
from fireproof.steps import load_steps

PLACE = """\
environment: mine
class: other
inventory: {file: hosts.ini, key: "file:drill key", known-hosts: known_hosts}
components:
  db: {kind: postgres, hosts: [db-1, db-2], faults: [playbook]}
  api: {kind: http, url: "http://127.0.0.1:1"}
"""
DRILL = """\
drill: remote
title: A remote fault
owner: team
kind: component
cadence: P7D
components: [db]
hypothesis: It comes back.
objectives: {mended: {checks: [look]}}
fault:
  - {playbook: break.yml, undo: mend.yml, component: db}
recover: [{playbook: mend.yml, timeout: 1m}]
verify: [{process: ["true"], title: look, timeout: 1s}]
"""
KEY = "\n".join(
    (
        "-----BEGIN-----",
        "same-for-all-keys-of-a-kind",
        "same-for-all",
        "the-private-line-of-it-all",
        "-----END-----",
    )
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(PLACE)
    for name, text in (("hosts.ini", "db-1\n"), ("known_hosts", ""), ("drill key", KEY)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_component_is_a_group_of_its_hosts(place: Path) -> None:
    """The same playbook runs in the lab, where every component lives on this host."""
    reach = reach_of(load_environment(place / "mine.yaml"), place)

    assert reach["groups"] == {"db": ["db-1", "db-2"], "api": ["localhost"]}
    assert reach["limit"] == ["db-1", "db-2", "localhost"]


def test_a_fault_is_limited_to_the_hosts_of_its_component(place: Path) -> None:
    """`hosts: all` in a copied playbook would break the whole inventory."""
    environment = load_environment(place / "mine.yaml")

    assert reach_of(environment, place, "api")["limit"] == ["localhost"]
    assert reach_of(environment, place, "db")["limit"] == ["db-1", "db-2", "localhost"]


def test_host_keys_are_always_checked(place: Path) -> None:
    """Whatever the inventory or the user's own ssh says."""
    said = ssh_variables(reach_of(load_environment(place / "mine.yaml"), place))

    assert "-o StrictHostKeyChecking=yes" in said["ansible_ssh_common_args"]
    assert f"'UserKnownHostsFile=\"{place}/known_hosts\"'" in said["ansible_ssh_common_args"]
    assert said["ansible_ssh_args"].startswith("-F none ")
    assert said["ansible_host_key_checking"] is True


def test_a_file_that_ssh_needs_is_missed_by_its_name(place: Path) -> None:
    """Before the harm, not in the undo."""
    (place / "known_hosts").unlink()

    with pytest.raises(EnvironmentRefusal, match=r"inventory: there is no .*known_hosts"):
        reach_of(load_environment(place / "mine.yaml"), place)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("inventory:", "# inventory:", "component 'db' has `hosts`, and the environment has no"),
        ('"file:drill key"', "drill-key", "expected file:PATH, where the private key is kept"),
        (", known-hosts: known_hosts", "", "'known-hosts' is missing"),
        ("[db-1, db-2]", '["db-*"]', "got 'db-*'"),
        ("[db-1, db-2]", '["-oProxyCommand=x"]', "got '-oProxyCommand=x'"),
    ],
)
def test_a_wrong_place_is_told_with_its_line(place: Path, old: str, new: str, said: str) -> None:
    """A wildcard, an open door, or an option of ssh where a host should stand."""
    assert old in PLACE
    (place / "mine.yaml").write_text(PLACE.replace(old, new))

    with pytest.raises(DrillFileError) as caught:
        load_environment(place / "mine.yaml")
    assert said in str(caught.value)
    assert "mine.yaml:" in str(caught.value)


def test_a_remote_fault_without_an_expiry_is_a_problem(place: Path) -> None:
    """The line that carried the harm may be the line that is cut."""
    kinds = Vocabulary(
        {kind: step.params for kind, step in load_steps().items()},
        {kind: fault.params for kind, fault in load_faults().items()},
    )
    environment = load_environment(place / "mine.yaml")
    (place / "remote.yaml").write_text(DRILL)
    loaded = read_drill(place / "remote.yaml", kinds)

    (problem,) = check_environment(loaded.drill, environment, loaded.marks)
    with_one = DRILL.replace("undo: mend.yml", "undo: mend.yml, expiry: mend.sh")
    (place / "remote.yaml").write_text(with_one)

    assert "remote.yaml:10:" in str(problem)
    assert "'db' lives on db-1, db-2; add `expiry:`" in str(problem)
    assert check_environment(read_drill(place / "remote.yaml", kinds).drill, environment) == ()


def test_lines_of_the_private_key_are_kept_out_like_any_secret(place: Path) -> None:
    """A playbook that prints it would have it sealed and handed to auditors."""
    keeper = Keeper(load_environment(place / "mine.yaml"), place)
    keeper.reveal()

    assert keeper.redact({"said": "the-private-line-of-it-all"}) == {"said": "[redacted]"}
    assert not keeper.holds("same-for-all-keys-of-a-kind")
