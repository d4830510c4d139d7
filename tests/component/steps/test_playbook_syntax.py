"""Playbooks that Ansible cannot read are told before anything is broken, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fireproof.children.playbook_syntax import playbook_problems
from support.scenario import Scenario

pytestmark = pytest.mark.component

PLAY = "- name: x\n  hosts: localhost\n  gather_facts: false\n"
GOOD = PLAY + "  tasks:\n    - ansible.builtin.debug: {msg: '{{ told }}'}\n"
BAD = {
    "unbalanced.yml": (PLAY + "  tasks: [\n", "unbalanced.yml:5:1", "flow"),
    "misspelt.yml": (PLAY + "  taks: []\n", "misspelt.yml:4:3", "'taks' is not a valid attribute"),
    "no-module.yml": (
        PLAY + "  tasks:\n    - no_such_module: {}\n",
        "no-module.yml:5:7",
        "couldn't resolve module/action 'no_such_module'",
    ),
    "two-acts.yml": (
        PLAY + "  tasks:\n    - {ansible.builtin.debug: {}, ansible.builtin.ping: {}}\n",
        "two-acts.yml:5:7",
        "conflicting action statements",
    ),
    "no-list.yml": ("hosts: localhost\n", "no-list.yml:1:1", "must be a list of plays"),
}


def test_every_unreadable_one_is_told_at_its_place(tmp_path: Path) -> None:
    """Beside good ones, all at once."""
    for name, (text, _, _) in {**BAD, "good.yml": (GOOD, "", "")}.items():
        (tmp_path / name).write_text(text)
    wanted = {tmp_path / name: {"told": "{saved.x}"} for name in ("good.yml", *BAD)}

    found = [str(problem) for problem in playbook_problems(wanted, tmp_path)]

    assert len(found) == len(BAD)
    for said, (_, place, text) in zip(found, BAD.values(), strict=True):
        assert said.startswith(place), said
        assert text in said


def test_what_only_the_run_knows_is_no_mistake(tmp_path: Path) -> None:
    """Hosts may come from a variable that we do not give here."""
    path = tmp_path / "later.yml"
    path.write_text(GOOD.replace("hosts: localhost", 'hosts: "{{ chosen_by_the_run }}"'))

    assert playbook_problems({path: {}}, tmp_path) == []


@pytest.mark.parametrize("where", ["recover", "undo"])
def test_a_drill_with_one_is_refused_before_anything_runs(tmp_path: Path, where: str) -> None:
    """Found after the harm, it would be an outage of our own making."""
    scenario = Scenario(tmp_path)
    try:
        broken, _, _ = BAD["misspelt.yml"]
        for name, text in {"good.yml": GOOD, "broken.yml": broken}.items():
            (tmp_path / name).write_text(text)
        drill = scenario.drill()
        wrong = {"playbook": "good.yml", "undo": "good.yml", "present": "good.yml"}
        wrong |= {"playbook": "broken.yml"} if where == "recover" else {"undo": "broken.yml"}
        drill["recover"] = [{**wrong, "component": drill["components"][0]}]
        ran = scenario.run(drill)
    finally:
        scenario.close()

    assert ran.code == 2
    assert "broken.yml:4:3: 'taks' is not a valid attribute for a Play" in ran.stderr
    assert ran.result is None
